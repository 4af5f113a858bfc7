import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { decodeErrors, probeStream } from '../support/ffprobe.ts';
import { HlsRecorder } from '../support/hls-recorder.ts';
import { LiveServer } from '../support/live-server.ts';

/** Runs in the page: records a moving canvas and a tone as MP4 and pushes what comes, as it comes. */
const GO_LIVE = `async (url) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  let frame = 0;
  setInterval(() => {
    context.fillStyle = 'hsl(' + (frame * 3) % 360 + ' 80% 50%)';
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = 'black';
    context.fillRect((frame * 5) % 640, 100, 80, 80);
    frame += 1;
  }, 33);
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const speaker = audio.createMediaStreamDestination();
  tone.connect(speaker);
  tone.start();
  const tracks = [...canvas.captureStream(30).getTracks(), ...speaker.stream.getTracks()];
  const mimeType = 'video/mp4;codecs=avc1.42E01E,opus';
  if (!MediaRecorder.isTypeSupported(mimeType)) return 'unsupported';
  const recorder = new MediaRecorder(new MediaStream(tracks), { mimeType, videoKeyFrameIntervalDuration: 1000 });
  const socket = new WebSocket(url);
  const messages = (window.messages = []);
  const ready = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      messages.push(JSON.parse(data).type);
      if (messages.includes('ready')) resolve('ready');
    };
    socket.onclose = ({ code }) => resolve('closed ' + code);
  });
  recorder.ondataavailable = async ({ data }) => socket.send(await data.arrayBuffer());
  window.stop = () => (recorder.stop(), socket.close());
  const outcome = await ready;
  recorder.start(200);
  return outcome;
}`;

describe('a browser that goes live with MediaRecorder', () => {
  let server: LiveServer;
  let browser: Browser;

  beforeAll(async () => {
    server = await LiveServer.start();
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  it('becomes a ladder with AAC sound', async () => {
    const page = await browser.newPage();
    await page.goto(`${server.app.httpUrl}/healthz`);
    expect(await page.evaluate(`(${GO_LIVE})(${JSON.stringify(server.wsUrl('page'))})`)).toBe('ready');
    const multivariant = await server.variants('page', 3);
    expect(multivariant.variants[0]!.attributes['CODECS']).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
    const rung = new HlsRecorder(server.mediaUrl('page', '240p'));
    const audio = new HlsRecorder(server.mediaUrl('page', 'audio', 'audio'));
    await server.variants('page', 3);
    await page.evaluate('window.stop()');
    await Promise.all([rung.finished, audio.finished]);
    expect(await decodeErrors(rung.file())).toBe('');
    expect(await probeStream(rung.file())).toMatchObject({ codec: 'h264', width: 426, height: 240 });
    expect((await probeStream(audio.file())).codec).toBe('aac');
    expect(rung.segments.some(({ gap }) => gap)).toBe(false);
  });
});
