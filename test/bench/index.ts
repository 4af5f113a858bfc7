import { parseArgs } from 'node:util';
import { measureBlockedReloads } from './blocked-reloads.ts';
import { measureFiles } from './files.ts';
import { formatTable, type Measurement } from './measure.ts';
import { measureCpu } from './node-cpu.ts';
import { measureLadderChanges } from './ladder-changes.ts';
import { measureLiveLatency } from './live-latency.ts';
import { measurePlayerLatency } from './player-latency.ts';
import { measurePull } from './pull.ts';
import { measureTranscodeLatency } from './transcode-latency.ts';

// Figures, never pass or fail: a shared machine is too noisy for limits.
const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
const benches: Record<string, () => Promise<Measurement[]>> = {
  latency: measureTranscodeLatency,
  changes: measureLadderChanges,
  cpu: measureCpu,
  live: measureLiveLatency,
  player: measurePlayerLatency,
  blocked: measureBlockedReloads,
  files: measureFiles,
  pull: measurePull,
};

const measurements: Measurement[] = [];
for (const [name, measure] of Object.entries(benches)) {
  if (values.only !== undefined && values.only !== name) continue;
  process.stderr.write(`bench: ${name} …\n`);
  measurements.push(...(await measure()));
}
process.stdout.write(
  `${values.json === true ? JSON.stringify(measurements, undefined, 2) : formatTable(measurements)}\n`,
);
process.exit(0);
