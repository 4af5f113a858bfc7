import { describe, expect, it } from 'vitest';
import type { DemuxedFrame } from '../../../src/ingest/fmp4-demuxer.ts';
import { Splicer, SPLICE_WAIT_MS } from '../../../src/ingest/pull/splicer.ts';
import { audioInit, videoInit } from '../../support/fragments.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { frameAt } from '../../support/publishers-rig.ts';

const video = videoInit();
const audio = audioInit();
/** Where the timeline begins, ms. */
const START = 10_000;

/** `v20`, `a20`, or `v20-` for a picture that is no keyframe; times in ms. */
function frame(text: string): DemuxedFrame {
  const init = text.startsWith('v') ? video : audio;
  return { init, frame: frameAt(parseFloat(text.slice(1)), init.timescale, !text.endsWith('-')) };
}

function frames(text: string): DemuxedFrame[] {
  return text.split(' ').map(frame);
}

/** A splicer whose output is told as `0v20`: stretch, track and ms on the one timeline. */
function rig() {
  const clock = new ManualClock();
  const out: string[] = [];
  const onFrame = ({ init, frame: { dts } }: DemuxedFrame, stretch: number): void => {
    out.push(`${stretch}${init.kind.charAt(0)}${Math.round((dts * 1000) / init.timescale) - START}`);
  };
  const splicer = new Splicer({ clock, onFrame });
  const taken = (): string => out.splice(0).join(' ');
  return { clock, splicer, taken };
}

describe('Splicer, with one playlist', () => {
  it('puts the first frame of all at the start, and keeps what is between the tracks', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    lane.begin(['video', 'audio']);
    lane.push(frames('v5000 v5020- v5040-'));
    expect(taken()).toBe('');
    lane.push(frames('a5013 a5033 v5060-'));
    expect(taken()).toBe('0v0 0v20 0v40 0a13 0a33 0v60');
  });

  it('joins what comes after a break without a hole, with one offset for both tracks', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    lane.begin(['video', 'audio']);
    lane.push(frames('v5000 a5013 v5020 a5033'));
    lane.begin(['video', 'audio']);
    lane.push(frames('v700000 v700020 a700007 a700027'));
    expect(taken()).toBe('0v0 0a13 0v20 0a33 1v53 1v73 1a60 1a80');
  });

  it('leaves out pictures before the first keyframe, and sound that ends before it', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    lane.begin(['video', 'audio']);
    lane.push(frames('v1000- a1000 a1500 v1600- a1700 a1985 v2000 v2020-'));
    expect(taken()).toBe('0a0 0v15 0v35');
  });

  it('begins without a track that is announced and does not come', () => {
    const { splicer, taken, clock } = rig();
    const lane = splicer.lane();
    lane.begin(['video', 'audio']);
    lane.push(frames('v0 v9980-'));
    expect(taken()).toBe('');
    lane.push(frames('v10000-'));
    expect(taken()).toBe('0v0 0v9980 0v10000');
    lane.begin(['video', 'audio']);
    lane.push(frames('v9000'));
    clock.advance(SPLICE_WAIT_MS);
    expect(taken()).toBe('1v10020');
    lane.push(frames('v9020- a9040'));
    expect(taken()).toBe('1v10040 1a10060');
  });

  it('keeps a hole inside a leg as long as it is', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    lane.begin(['video']);
    lane.push(frames('v0 v20 v4020 v4040'));
    expect(taken()).toBe('0v0 0v20 0v4020 0v4040');
  });

  it('drops frames that go back, and pictures that need them', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    lane.begin(['video', 'audio']);
    lane.push(frames('v0 a0 v20- v40- v20 v60- v80 a20 a20 a40'));
    expect(taken()).toBe('0v0 0a0 0v20 0v40 0v80 0a20 0a40');
    expect(splicer.droppedFrames).toBe(3);
  });

  it('takes a clock that turns over in one track before the other for the same', () => {
    const { splicer, taken } = rig();
    const lane = splicer.lane();
    const turnMs = 2 ** 33 / 90;
    lane.begin(['video', 'audio']);
    lane.push(frames(`v${turnMs - 40} a-20`));
    lane.push(frames(`v${turnMs - 20}- a0 v${turnMs}- a20`));
    expect(taken()).toBe('0v0 0a20 0v20 0a40 0v40 0a60');
  });
});

describe('Splicer, with a playlist of sound', () => {
  function pair() {
    const made = rig();
    const [picture, sound] = [made.splicer.lane(), made.splicer.lane()];
    picture.begin(['video']);
    sound.begin(['audio']);
    return { ...made, picture, sound };
  }

  it('waits for both before it begins', () => {
    const { picture, sound, taken } = pair();
    picture.push(frames('v9000 v9020'));
    expect(taken()).toBe('');
    sound.push(frames('a9010 a9030'));
    expect(taken()).toBe('0v0 0v20 0a10 0a30');
  });

  it('breaks for both when both broke, whichever comes first', () => {
    const { picture, sound, taken } = pair();
    picture.push(frames('v9000 v9020'));
    picture.begin(['video']);
    picture.push(frames('v100 v120'));
    sound.push(frames('a9010 a9030'));
    expect(taken()).toBe('0v0 0v20 0a10 0a30');
    sound.begin(['audio']);
    sound.push(frames('a110 a130'));
    expect(taken()).toBe('1v50 1v70 1a60 1a80');
  });

  it('lets one go on in its place when it alone broke and its times fit', () => {
    const { picture, sound, taken, clock } = pair();
    picture.push(frames('v9000 v9020'));
    sound.push(frames('a9010 a9030'));
    sound.begin(['audio']);
    sound.push(frames('a11010'));
    picture.push(frames('v9040 v12000'));
    expect(taken()).toBe('0v0 0v20 0a10 0a30 0v40 0v3000');
    clock.advance(SPLICE_WAIT_MS);
    expect(taken()).toBe('0a2010');
    sound.push(frames('a11030'));
    expect(taken()).toBe('0a2030');
  });

  it('follows the picture when it alone broke, and takes the sound in again when it fits', () => {
    const { picture, sound, taken, clock } = pair();
    picture.push(frames('v9000 v9020'));
    sound.push(frames('a9010 a9030'));
    taken();
    picture.begin(['video']);
    picture.push(frames('v500000 v500020'));
    sound.push(frames('a9050'));
    expect(taken()).toBe('0a50');
    clock.advance(SPLICE_WAIT_MS);
    sound.push(frames('a9070'));
    picture.push(frames('v501600-'));
    expect(taken()).toBe('1v70 1v90 1v1670');
    sound.begin(['audio']);
    sound.push(frames('a501610'));
    clock.advance(SPLICE_WAIT_MS);
    expect(taken()).toBe('1a1680');
  });

  it('goes on without sound whose times are nowhere near the picture’s', () => {
    const { picture, sound, taken, clock } = pair();
    picture.push(frames('v9000'));
    sound.push(frames('a900000'));
    picture.push(frames('v9020 v10500'));
    clock.advance(SPLICE_WAIT_MS);
    expect(taken()).toBe('0v0 0v20 0v1500');
  });

  it('waits for nothing of a playlist that has ended', () => {
    const { picture, sound, taken } = pair();
    picture.push(frames('v9000'));
    sound.push(frames('a9000'));
    sound.end();
    picture.begin(['video']);
    picture.push(frames('v100'));
    expect(taken()).toBe('0v0 0a0 1v20');
  });

  it('tells a lane full that holds too much while the other one lags', () => {
    const { picture } = pair();
    picture.push(frames('v0'));
    picture.begin(['video']);
    picture.push(frames('v100 v5060'));
    expect(picture.isFull).toBe(false);
    picture.push(frames('v5080'));
    expect(picture.isFull).toBe(true);
  });

  it('holds no clock after its end', async () => {
    const { splicer, clock } = pair();
    await splicer.close();
    expect(clock.pending).toBe(0);
  });
});
