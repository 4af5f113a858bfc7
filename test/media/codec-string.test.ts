import { describe, expect, it } from 'vitest';
import { av1CodecString, avcCodecString, hevcCodecString, vp9CodecString } from '../../src/media/codec-string.ts';

describe('codec strings', () => {
  it('spell H.264 as profile, constraints and level', () => {
    expect(avcCodecString(Buffer.from('0142c01e', 'hex'))).toBe('avc1.42c01e');
  });

  it.each([
    ['01016000000090000000000078', 'hvc1.1.6.L120.90'],
    ['0102200000009000000000005d', 'hvc1.2.4.L93.90'],
    ['012220000000b0000000000099', 'hvc1.2.4.H153.B0'],
    ['01416000000000000000000078', 'hvc1.A1.6.L120'],
    ['0101600000009000000001005d', 'hvc1.1.6.L93.90.0.0.0.1'],
  ])('spell H.265 %s as %s', (hex, expected) => {
    expect(hevcCodecString(Buffer.from(hex, 'hex'))).toBe(expected);
  });

  it.each([
    ['81080c00', 'av01.0.08M.08'],
    ['810dcc00', 'av01.0.13H.10'],
    ['814de000', 'av01.2.13H.12'],
    ['81000c00', 'av01.0.00M.08'],
  ])('spell AV1 %s as %s', (hex, expected) => {
    expect(av1CodecString(Buffer.from(hex, 'hex'))).toBe(expected);
  });

  it('spell VP9 with two digits each', () => {
    expect(vp9CodecString(Buffer.from('0233a0', 'hex'))).toBe('vp09.02.51.10');
  });
});
