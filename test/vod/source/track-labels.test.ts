import { describe, expect, it } from 'vitest';
import { languageOf, trackTitleOf } from '../../../src/vod/source/track-labels.ts';

describe('languageOf', () => {
  it.each([
    ['ger', 'de'],
    ['deu', 'de'],
    ['de', 'de'],
    ['fre', 'fr'],
    ['chi', 'zh'],
    ['dut', 'nl'],
    ['rum', 'ro'],
    ['ENG', 'en'],
    ['pt-BR', 'pt-BR'],
    ['en_us', 'en-US'],
    ['zh-hant-tw', 'zh-Hant-TW'],
    ['gsw', 'gsw'],
  ])('reads %s as %s', (text, language) => expect(languageOf(text)).toBe(language));

  it.each(['', 'und', 'mul', 'zxx', 'mis', 'qaa', 'english', 'e', '12', 'de-', '<b>', 'en'.repeat(50), undefined])(
    'takes %s for no language',
    (text) => expect(languageOf(text)).toBeUndefined(),
  );
});

describe('trackTitleOf', () => {
  it('makes one clean line', () => {
    expect(trackTitleOf('  Director\u2028\t commentary\u0000\u202e ')).toBe('Director commentary');
    expect(trackTitleOf('日本語 😀')).toBe('日本語 😀');
  });

  it('keeps 100 characters, each whole', () => {
    expect(trackTitleOf('😀'.repeat(200))).toBe('😀'.repeat(100));
    expect(trackTitleOf('\ud83d' + 'a'.repeat(150))).toBe('a'.repeat(100));
  });

  it('knows when nothing is left', () => {
    for (const text of [undefined, '', ' \n', '\u0000']) expect(trackTitleOf(text)).toBeUndefined();
  });
});
