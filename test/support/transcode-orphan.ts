// Run as a process of its own: encodes with a real child, prints the child's pid and goes on until it is killed.
import { buildRun, softwareFactory } from './transcode-run.ts';
import { videoSource } from './transcode-source.ts';

const source = await videoSource({ size: '320x240', seconds: 1 });
const run = buildRun(await softwareFactory(), { name: '144p', height: 144 }, source);
if ('optOut' in run) throw new Error(run.optOut);
await run.transcoder.start();
for (const fragment of source.fragments) await run.transcoder.push(fragment);
console.log(run.transcoder.facts?.().pid);
setInterval(() => undefined, 1_000);
