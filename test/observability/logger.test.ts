import { describe, expect, it } from 'vitest';
import { renderBanner } from '../../src/observability/banner.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { Scrubber } from '../../src/observability/scrubber.ts';

const capture = (level: 'info' | 'debug' | 'silent' = 'info') => {
  const lines: string[] = [];
  const scrubber = new Scrubber();
  return { lines, scrubber, logger: createLogger({ level, write: (line) => lines.push(line), scrubber }) };
};

describe('the log', () => {
  it('is one JSON object a line with level, time, fields and message', () => {
    const { lines, logger } = capture();
    logger.child({ broadcast: 'live/demo' }).info({ rtmpUrl: 'rtmp://h:1' }, 'ready');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      broadcast: 'live/demo',
      rtmpUrl: 'rtmp://h:1',
      msg: 'ready',
    });
  });

  it('leaves out what is below its level', () => {
    const { lines, logger } = capture();
    logger.debug({}, 'detail');
    const silent = capture('silent');
    silent.logger.error({}, 'x');
    expect([...lines, ...silent.lines]).toEqual([]);
  });

  it('never holds a key or token, wherever it hides', () => {
    const { lines, scrubber, logger } = capture();
    scrubber.hide('the"secret/value', undefined, 'tiny');
    logger.info({ key: 'hush', request: { authorization: 'Bearer hush', streamKey: 'hush' } }, 'fields');
    logger.info({ url: '/ingest/live/a?x=1&key=hush&y=2', reason: 'at rtmp://h/live/a?token=hush.' }, 'urls ?key=hush');
    logger.error({ error: new Error('it was the"secret/value'), at: '/x/the%22secret%2Fvalue' }, 'the"secret/value');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).not.toMatch(/hush|secret/);
      expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
    expect(lines[1]).toContain('x=1&key=[hidden]&y=2');
  });
});

describe('the banner', () => {
  const facts = { httpUrl: 'http://h:8080', rtmpUrl: 'rtmp://h:1935', secretsFile: '/data/secrets.json' };

  it('shows new secrets once, and how to use them in OBS', () => {
    const text = renderBanner({ ...facts, newSecrets: { adminToken: 'the-token', streamKey: 'the-key' } });
    expect(text).toContain('rtmp://h:1935/live');
    expect(text).toContain('NAME?key=the-key');
    expect(text).toContain('the-token');
    expect(text).toContain('/data/secrets.json');
  });

  it('shows no secret that existed before', () => {
    const text = renderBanner({ ...facts, newSecrets: {} });
    expect(text).toContain('NAME?key=SECRET');
    expect(text).not.toContain('shown only this once');
  });
});
