import { describe, expect, it } from 'vitest';
import { PullState, SILENT_MS } from '../../../src/ingest/pull/pull-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function rig() {
  const clock = new ManualClock();
  const facts: { lastFrameAtMs?: number; isFailing?: boolean; lastError?: string } = {};
  const told: string[] = [];
  const state: PullState = new PullState({
    clock,
    lastFrameAtMs: () => facts.lastFrameAtMs,
    isFailing: () => facts.isFailing === true,
    lastError: () => facts.lastError,
    onChange: () => told.push(state.lastError === undefined ? state.state : `${state.state}: ${state.lastError}`),
  });
  return { clock, facts, told, state };
}

describe('PullState', () => {
  it('is live with the first frame, and waits when none comes for a while', () => {
    const { clock, facts, told, state } = rig();
    expect(state.state).toBe('starting');
    clock.advance(60_000);
    expect(told).toEqual([]);
    facts.lastFrameAtMs = clock.nowMs();
    clock.advance(SILENT_MS - 1_000);
    expect(told).toEqual(['live']);
    clock.advance(1_000);
    expect(told).toEqual(['live', 'waiting']);
    facts.lastFrameAtMs = clock.nowMs();
    clock.advance(1_000);
    expect(told).toEqual(['live', 'waiting', 'live']);
  });

  it('waits for a source that fails before it has begun, and keeps what went wrong', () => {
    const { clock, facts, told, state } = rig();
    facts.isFailing = true;
    facts.lastError = 'status 503';
    state.look();
    delete facts.lastError;
    facts.isFailing = false;
    facts.lastFrameAtMs = clock.nowMs();
    clock.advance(1_000);
    expect(told).toEqual(['waiting: status 503', 'live: status 503']);
  });

  it('says nothing more after its end', () => {
    const { clock, facts, told, state } = rig();
    facts.lastFrameAtMs = clock.nowMs();
    clock.advance(1_000);
    state.end('failed', 'it was taken away');
    clock.advance(60_000);
    expect(told).toEqual(['live', 'failed: it was taken away']);
    expect(clock.pending).toBe(0);
  });
});
