import { describe, expect, it } from 'vitest';
import type { FileFigures, StorageFigures } from '../../src/observability/file-figures.ts';
import type { SourceFigures } from '../../src/observability/source-figures.ts';
import { Metrics, type TranscodeFigures } from '../../src/observability/metrics.ts';

const row = (overrides: Partial<TranscodeFigures> = {}): TranscodeFigures => ({
  factory: 'ffmpeg',
  rendition: '720p',
  state: 'running',
  fragmentsSeen: 10,
  fragmentsOut: 9,
  dropped: 1,
  panics: { start: 0, fragment: 2, stop: 0 },
  restarts: 1,
  ...overrides,
});

const files: FileFigures = {
  activeSessions: 4,
  encodersRunning: 2,
  encodersWaiting: 1,
  encodersStarted: 9,
  encodersFailed: 3,
  segmentsEncoded: 70,
  segmentHits: 80,
};

const storage: StorageFigures = {
  maxBytes: 5000,
  usedBytes: 4000,
  liveBytes: 1000,
  entries: 6,
  hits: 10,
  partialHits: 11,
  misses: 12,
  evictions: 13,
  invalidations: 14,
  liveDropped: 15,
  liveFailed: 16,
};

const remote: SourceFigures = {
  ...{ states: { idle: 1, live: 2, failed: 0 }, failovers: 21 },
  upstream: { upstreams: 22, playlists: 23, playlistLoads: 24, errors: 25, activePrefetchers: 33 },
  pool: {
    ...{ fetchedBytes: 26, retries: 27, failures: 28, hits: 29, misses: 30, prefetched: 31, wastedBytes: 32 },
    ...{ bytes: 34, diskBytes: 35 },
  },
};

const render = async (rows: TranscodeFigures[]): Promise<string[]> => {
  const metrics = new Metrics({
    transcodes: () => rows,
    publishers: () => [{ protocol: 'ws' }],
    waiting: () => 2,
    publisherReturns: () => 5,
    viewers: () => 3,
    blockedRequests: () => 7,
    renderedPlaylists: () => 11,
    files: () => files,
    storage: () => storage,
    remote: () => remote,
  });
  return (await metrics.render()).text.split('\n');
};

describe('the metrics', () => {
  it('sum the rows of all broadcasts by factory and rendition', async () => {
    const lines = await render([row(), row({ fragmentsSeen: 5 }), row({ rendition: '240p', fragmentsSeen: 1 })]);
    expect(lines).toContain('laddercast_transcode_fragments_total{factory="ffmpeg",rendition="720p"} 15');
    expect(lines).toContain('laddercast_transcode_fragments_total{factory="ffmpeg",rendition="240p"} 1');
    expect(lines).toContain('laddercast_transcode_restarts_total{factory="ffmpeg",rendition="720p"} 2');
    expect(lines).toContain('laddercast_transcode_dropped_fragments_total{factory="ffmpeg",rendition="720p"} 2');
    expect(lines).toContain('laddercast_transcode_jobs{factory="ffmpeg",rendition="720p",state="running"} 2');
  });

  it('tell of remote sources without their names', async () => {
    const lines = (await render([])).filter((line) => /^laddercast_(source|prefetch)_/.test(line));
    expect(lines).toEqual([
      'laddercast_source_failovers_total 21',
      'laddercast_source_upstreams 22',
      'laddercast_source_playlists 23',
      'laddercast_source_playlist_loads_total 24',
      'laddercast_source_playlist_errors_total 25',
      'laddercast_source_fetched_bytes_total 26',
      'laddercast_source_fetch_retries_total 27',
      'laddercast_source_fetch_failures_total 28',
      'laddercast_prefetch_hits_total 29',
      'laddercast_prefetch_misses_total 30',
      'laddercast_prefetch_segments_total 31',
      'laddercast_prefetch_wasted_bytes_total 32',
      'laddercast_prefetch_active 33',
      'laddercast_prefetch_memory_bytes 34',
      'laddercast_prefetch_disk_bytes 35',
      'laddercast_source_state{state="idle"} 1',
      'laddercast_source_state{state="live"} 2',
      'laddercast_source_state{state="failed"} 0',
    ]);
  });

  it('tell panics apart by phase', async () => {
    const lines = await render([row()]);
    expect(lines).toContain('laddercast_transcode_panics_total{factory="ffmpeg",rendition="720p",phase="fragment"} 2');
    expect(lines).toContain('laddercast_transcode_panics_total{factory="ffmpeg",rendition="720p",phase="start"} 0');
  });

  it('give the worst lag and bitrate in base units, and nothing where nothing is known', async () => {
    const lines = await render([
      row({ lagMs: 250, bitrateKbps: 2400 }),
      row({ lagMs: 90 }),
      row(),
      row({ rendition: 'audio' }),
    ]);
    expect(lines).toContain('laddercast_transcode_lag_seconds{factory="ffmpeg",rendition="720p"} 0.25');
    expect(lines).toContain('laddercast_transcode_bitrate_bits_per_second{factory="ffmpeg",rendition="720p"} 2400000');
    expect(lines.filter((line) => /^laddercast_transcode_lag.*audio/.test(line))).toEqual([]);
  });

  it('tell what files that are played and the shared disk cost', async () => {
    const lines = await render([]);
    const told = lines.filter((line) => /^laddercast_(vod|storage|cache|live_files)_/.test(line));
    expect(Object.fromEntries(told.map((line) => line.replace('laddercast_', '').split(' ')))).toEqual({
      ...{ vod_sessions: '4', vod_encoders_running: '2', vod_encoders_waiting: '1', vod_encoders_started_total: '9' },
      ...{ vod_encoders_failed_total: '3', vod_segments_encoded_total: '70', vod_segment_hits_total: '80' },
      ...{ storage_max_bytes: '5000', storage_used_bytes: '4000', storage_live_bytes: '1000', cache_entries: '6' },
      ...{ cache_hits_total: '10', cache_partial_hits_total: '11', cache_misses_total: '12' },
      ...{ cache_evictions_total: '13', cache_invalidations_total: '14' },
      ...{ live_files_dropped_total: '15', live_files_failed_total: '16' },
    });
  });

  it('count publishers by protocol, broadcasts that wait, viewers, and the process itself', async () => {
    const lines = await render([]);
    expect(lines).toContain('laddercast_publishers{protocol="rtmp"} 0');
    expect(lines).toContain('laddercast_publishers{protocol="pull"} 0');
    expect(lines).toContain('laddercast_publishers{protocol="ws"} 1');
    expect(lines).toContain('laddercast_viewers 3');
    expect(lines).toContain('laddercast_broadcasts_waiting 2');
    expect(lines).toContain('laddercast_publisher_returns_total 5');
    expect(lines).toContain('laddercast_blocked_requests 7');
    expect(lines).toContain('laddercast_rendered_playlists_total 11');
    expect(lines.some((line) => line.startsWith('process_resident_memory_bytes '))).toBe(true);
  });

  it('forget a rung that is gone, and stay the same when asked twice', async () => {
    const rows = [row()];
    const metrics = new Metrics({
      transcodes: () => rows,
      publishers: () => [],
      waiting: () => 0,
      publisherReturns: () => 0,
      viewers: () => 0,
      blockedRequests: () => 0,
      renderedPlaylists: () => 0,
      files: () => files,
      storage: () => storage,
    });
    await metrics.render();
    expect((await metrics.render()).text).toContain('fragments_total{factory="ffmpeg",rendition="720p"} 10');
    rows.length = 0;
    expect((await metrics.render()).text).not.toContain('720p');
  });

  it('live side by side in one process', async () => {
    expect((await Promise.all([render([row()]), render([])])).map((lines) => lines.join().includes('720p'))).toEqual([
      true,
      false,
    ]);
  });
});
