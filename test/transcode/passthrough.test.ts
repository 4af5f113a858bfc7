import { describe, expect, it } from 'vitest';
import { PassthroughFactory } from '../../src/transcode/passthrough.ts';
import { type AudioEncoder, SharedAudioFactory } from '../../src/transcode/shared-audio.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { audioInit, fragmentAt, videoInit } from '../support/fragments.ts';
import { EditableLadder, settled, TranscodeRig } from '../support/transcode-rig.ts';

const LADDER = [
  { name: 'original', factory: 'passthrough' as const },
  { name: '720p', height: 720 },
  { name: 'audio' },
];

const noEncoder: AudioEncoder = {
  encodeAudio: () => {
    throw new Error('nothing is to be encoded');
  },
};

describe('the passthrough factories', () => {
  it('re-emit the very same fragment objects, video and AAC', async () => {
    const rig = new TranscodeRig(
      new EditableLadder(...LADDER),
      new PassthroughFactory(),
      new SharedAudioFactory(noEncoder),
    );
    const [video, audio] = [rig.output('original'), rig.output('audio')];
    const frame = fragmentAt({ init: videoInit(), atMs: 0, keyframe: true });
    const sound = fragmentAt({ init: audioInit(), atMs: 0, keyframe: true, durationMs: 20 });
    rig.source('live/demo', 'video').emit(frame);
    rig.source('live/demo', 'audio', audioInit()).emit(sound);
    await settled();
    expect(video.fragments).toEqual([frame]);
    expect(video.fragments[0]).toBe(frame);
    expect(audio.fragments[0]).toBe(sound);
    expect(rig.runner.list().map(({ factory, rendition, track, state }) => [factory, rendition, track, state])).toEqual(
      [
        ['passthrough', 'original', 'video', 'running'],
        ['shared-audio', 'audio', 'audio', 'running'],
      ],
    );
  });

  it('encode other audio than AAC, in the same track', async () => {
    const encoded: Fragment[] = [];
    const encoder: AudioEncoder = {
      encodeAudio: ({ emit, epoch }) => ({
        start: () => undefined,
        push: ({ baseDecodeTime }) => {
          const fragment = fragmentAt({ init: audioInit('encoded'), epoch, atMs: baseDecodeTime / 48, keyframe: true });
          encoded.push(fragment);
          emit(fragment);
        },
        stop: () => undefined,
        abort: () => undefined,
      }),
    };
    const rig = new TranscodeRig(new EditableLadder(...LADDER), new SharedAudioFactory(encoder));
    const [aac, opus] = [audioInit(), { ...audioInit('opus'), codec: 'opus' }];
    const output = rig.output('audio');
    const source = rig.source('live/demo', 'audio', aac);
    const sent = [aac, opus, aac].map((init, epoch) => fragmentAt({ init, epoch, atMs: 0, keyframe: true }));
    for (const fragment of sent) {
      source.emit(fragment);
      await settled();
    }
    expect(encoded).toHaveLength(1);
    expect(output.fragments).toEqual([sent[0], encoded[0], sent[2]]);
    expect(output).toMatchObject({ opened: 1, closed: 0 });
  });
});
