import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** One line of the benchmark's table. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What we aim at, in the same unit. */
  readonly goal: number;
  /** What the figure is made of. */
  readonly note: string;
}

/** The value below which a share (0..1) of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** CPU seconds that a process has used so far, its children excluded (Linux). */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The table for people, with the machine and its load. */
export function formatTable(measurements: readonly Measurement[]): string {
  const rows = measurements.map(({ name, value, unit, goal, note }) => [
    name,
    `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`,
    `< ${goal} ${unit}`,
    value < goal ? 'met' : 'MISSED',
    note,
  ]);
  const all = [['measurement', 'value', 'goal', '', 'note'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const load = os.loadavg().map((value) => value.toFixed(1));
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU';
  return [`${os.cpus().length} x ${cpu}, Node ${process.version}, load ${load.join(' ')}`, ...lines].join('\n');
}
