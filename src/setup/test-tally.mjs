/**
 * Counts what a vitest run found, from its JSON report. A file that could not even be loaded and an error outside of
 * any test count as failed.
 *
 * @param {{ code: number, report: string | undefined }} run exit code and text of the report, if it was written
 * @returns {{ passed: number, failed: number }}
 */
export function tallyVitest({ code, report }) {
  let passed = 0;
  let failed = 0;
  try {
    const { testResults } = JSON.parse(report ?? '');
    for (const { status, assertionResults } of testResults) {
      passed += assertionResults.filter((/** @type {{ status: string }} */ test) => test.status === 'passed').length;
      const failures = assertionResults.filter((/** @type {{ status: string }} */ test) => test.status === 'failed');
      failed += failures.length === 0 && status === 'failed' ? 1 : failures.length;
    }
  } catch {
    failed += 1;
  }
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed };
}
