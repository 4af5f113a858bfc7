import { execFile } from 'node:child_process';

const DETECTION_TIMEOUT_MS = 5_000;
/** Ends a child with the process that started it, whatever ends that one and whatever the child is doing. */
const DEATH_BOUND = ['--pdeathsig', 'KILL', '--'];

/** How to run a program: what to execute, and what comes before the program's own arguments. */
export interface Launch {
  readonly path: string;
  readonly args: readonly string[];
}

let bindable: Promise<boolean> | undefined;

/**
 * Runs a program in such a way that it never outlives this process, where util-linux' `setpriv` is at hand; otherwise as
 * it is, and a child then ends only when it writes into its broken pipe. The process keeps its id in both cases.
 */
export async function deathBoundLaunch(programPath: string): Promise<Launch> {
  bindable ??= canBind();
  return (await bindable) ? { path: 'setpriv', args: [...DEATH_BOUND, programPath] } : { path: programPath, args: [] };
}

/** This process' environment without proxies, which would stand between a child and the relay, and without our secrets. */
export function childEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^((https?|ftp|all|no)_proxy|laddercast_.*)$/i.test(name)),
  );
}

/** Older and smaller programs of that name (busybox) do not know the option. */
function canBind(): Promise<boolean> {
  if (process.platform !== 'linux') return Promise.resolve(false);
  return new Promise((resolve) => {
    const args = [...DEATH_BOUND, 'true'];
    execFile('setpriv', args, { timeout: DETECTION_TIMEOUT_MS }, (error) => resolve(error === null));
  });
}
