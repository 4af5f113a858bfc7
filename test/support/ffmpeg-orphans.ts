// Run as a process of its own: starts children that would go on for ever, prints their pids and waits to be killed.
import { FfmpegChild } from '../../src/ffmpeg/ffmpeg-child.ts';
import { deferred } from '../../src/util/deferred.ts';

/** Resolves once ffmpeg itself runs, which comes after what binds it. */
const start = async (output: readonly string[]): Promise<FfmpegChild> => {
  const running = deferred();
  const child = new FfmpegChild({
    ...{ binaryPath: 'ffmpeg', commandLine: { input: ['-loglevel', 'info', '-re', '-f', 'lavfi'], output } },
    ...{ source: 'color=size=320x240:rate=25', onOutput: () => undefined, onWarning: () => running.resolve() },
  });
  await child.start();
  await running.promise;
  return child;
};
const writing = await start(['-f', 'rawvideo']);
const paused = await start(['-f', 'rawvideo']);
const silent = await start(['-f', 'null']);
paused.pauseOutput();
const stopped = await start(['-f', 'rawvideo']);
process.kill(stopped.pid!, 'SIGSTOP');
console.log(JSON.stringify([writing.pid, paused.pid, silent.pid, stopped.pid]));
setInterval(() => undefined, 1_000);
