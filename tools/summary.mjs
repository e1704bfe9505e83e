// Prints `N passed, N failed[, N skipped]` for a report of vitest's json reporter; ends with 1 unless something passed and
// nothing failed. A file that could not even be loaded holds no tests and counts as one failure.
// usage: node tools/summary.mjs REPORT
import { existsSync, readFileSync } from 'node:fs';

const [file = ''] = process.argv.slice(2);
const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [{ status: 'failed' }] };
const passed = report.numPassedTests ?? 0;
const broken = report.testResults.filter((suite) => suite.status === 'failed' && !suite.assertionResults?.length);
const failed = (report.numFailedTests ?? 0) + broken.length;
const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
