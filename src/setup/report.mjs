/**
 * Tells a person what set-up does: one line a step, with a dot for every two seconds that it takes.
 *
 * @param {{ write: (text: string) => unknown }} output standard error, so that standard output stays for the program
 */
export function createReport(output = process.stderr) {
  return {
    /**
     * Runs one step and writes its line.
     * @param {string} label e.g. `[2/4] packages`
     * @param {(say: (text: string) => void) => Promise<string>} run gets a way to say what it is about to do; hands
     *   back what there is now
     */
    async step(label, run) {
      const startedAtMs = Date.now();
      output.write(`${label}: `);
      const dots = setInterval(() => output.write('.'), 2000);
      try {
        const outcome = await run((text) => output.write(`${text} `));
        const tookMs = Date.now() - startedAtMs;
        output.write(`${outcome}${tookMs < 500 ? '' : ` (${(tookMs / 1000).toFixed(1)} s)`}\n`);
      } catch (error) {
        output.write('failed\n');
        throw error;
      } finally {
        clearInterval(dots);
      }
    },
    /** Writes a line of its own. */
    line(/** @type {string} */ text) {
      output.write(`${text}\n`);
    },
  };
}
