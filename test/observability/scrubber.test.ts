import { describe, expect, it } from 'vitest';
import { Scrubber } from '../../src/observability/scrubber.ts';

describe('the scrubber', () => {
  it('hides a secret as long as somebody uses it', () => {
    const scrubber = new Scrubber();
    const first = scrubber.hide('token-of-two');
    const second = scrubber.hide('token-of-two', 'short', undefined);
    expect(scrubber.scrub('a token-of-two b')).toBe('a [hidden] b');
    first();
    expect(scrubber.scrub('token-of-two')).toBe('[hidden]');
    second();
    expect(scrubber.scrub('token-of-two short')).toBe('token-of-two short');
  });
});
