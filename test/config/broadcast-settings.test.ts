import { describe, expect, it } from 'vitest';
import { broadcastSettings } from '../../src/config/broadcast-settings.ts';
import { CONFIG_DEFAULTS } from '../../src/config/schema.ts';

describe('the settings of a broadcast', () => {
  const settings = broadcastSettings({
    ...CONFIG_DEFAULTS,
    broadcasts: [
      { broadcast: 'live/main', slate: true },
      { broadcast: 'live/*', graceMs: 60_000, slate: '/pictures/away.png' },
      { broadcast: '*', archive: true },
    ],
  });

  it('are the general ones where no entry names them', () => {
    expect(settings('other/x')).toEqual({ graceMs: 30_000, slate: false, dvrMs: 600_000, archive: true });
  });

  it('come, each by itself, from the narrowest pattern that names them', () => {
    expect(settings('live/main')).toEqual({ graceMs: 60_000, slate: true, dvrMs: 600_000, archive: true });
    expect(settings('live/x').slate).toBe('/pictures/away.png');
  });
});
