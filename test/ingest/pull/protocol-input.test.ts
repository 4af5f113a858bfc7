import { describe, expect, it } from 'vitest';
import { protocolInput } from '../../../src/ingest/pull/protocol-input.ts';

const input = (url: string, address = '10.0.0.5') => protocolInput(new URL(url), address, true);

/** The values that options are given. */
function valueOf(options: readonly string[], name: string): string | undefined {
  return options[options.indexOf(`-${name}`) + 1];
}

describe('protocolInput', () => {
  it('names the checked address instead of the host, whatever else the address holds', () => {
    expect(input('rtsp://user:p%40ss@camera.example:8554/a/b?x=1').url).toBe(
      'rtsp://user:p%40ss@10.0.0.5:8554/a/b?x=1',
    );
    expect(input('rtsps://camera.example/a', 'fd00::5').url).toBe('rtsps://[fd00::5]/a');
    expect(input('rtmp://camera.example/live/key').url).toBe('rtmp://10.0.0.5/live/key');
    expect(input('srt://camera.example:9000?streamid=a').url).toBe('srt://10.0.0.5:9000');
  });

  it.each([
    ['rtsp://h/a', 'rtsp,tcp', 'rtsp'],
    ['rtsps://h/a', 'rtsp,rtsps,tls,tcp', 'rtsp'],
    ['rtmp://h/a/b', 'rtmp,tcp', 'flv'],
    ['rtmps://h/a/b', 'rtmps,tls,tcp', 'flv'],
    ['srt://h:1', 'srt', 'data'],
  ])('lets ffmpeg use nothing else for %s, and guess nothing', (url, protocols, format) => {
    const { options } = input(url);
    expect(valueOf(options, 'protocol_whitelist')).toBe(protocols);
    expect(options.slice(-2)).toEqual(['-f', format]);
  });

  it('asks cameras for one TCP connection with video and sound only', () => {
    const { options } = input('rtsp://h/a');
    expect(valueOf(options, 'rtsp_transport')).toBe('tcp');
    expect(valueOf(options, 'allowed_media_types')).toBe('video+audio');
    for (const query of ['udp', 'a=1&multicast', 'TCP', 'http&b']) {
      expect(() => input(`rtsp://h/a?${query}`)).toThrow(/one TCP connection/);
    }
    expect(() => input('rtsp://h/a?udp=1')).not.toThrow();
  });

  it.each([
    ['rtmp://camera.example/live/key', 'rtmp://camera.example/live'],
    ['rtmp://camera.example:1936/app/instance/key', 'rtmp://camera.example:1936/app/instance'],
    ['rtmp://camera.example/key', 'rtmp://camera.example/key'],
  ])('tells an RTMP server the name that %s has', (url, told) => {
    expect(valueOf(input(url).options, 'rtmp_tcurl')).toBe(told);
  });

  it('passes the known parameters of SRT on, and no other', () => {
    const url =
      'srt://h:1?mode=caller&latency=200000&passphrase=%20-secret%26secret&pbkeylen=16&streamid=%23!::r=a,m=request';
    const { options, secrets } = input(url);
    expect(valueOf(options, 'passphrase')).toBe(' -secret&secret');
    expect(valueOf(options, 'streamid')).toBe('#!::r=a,m=request');
    expect(valueOf(options, 'latency')).toBe('200000');
    expect(options.filter((option) => option === '-mode')).toHaveLength(1);
    expect(secrets).toContain(' -secret&secret');
  });

  it.each([
    'mode=listener',
    'mode=rendezvous',
    'localport=22',
    'adapter=127.0.0.1',
    'latency=99999999',
    'latency=-1',
    'passphrase=short',
    'pbkeylen=17',
    'streamid=a%00b',
    'f=concat',
    'constructor=1',
    'hasOwnProperty=mode',
    '__proto__=1',
  ])('refuses srt://…?%s', (query) => {
    expect(() => input(`srt://h:1?${query}`)).toThrow(/parameter/);
  });

  it('refuses other schemes', () => {
    for (const url of ['http://h/a', 'file:///etc/passwd', 'concat:a', 'udp://h:1', 'tcp://h:1', 'rtp://h:1']) {
      expect(() => input(url)).toThrow(/none of rtsp/);
    }
  });
});
