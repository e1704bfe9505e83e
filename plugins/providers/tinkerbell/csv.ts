/** One cell of a CSV file, and where it begins; lines and columns count from 1. */
export interface CsvCell {
  text: string;
  line: number;
  column: number;
}

/** A fault in the CSV itself. */
export interface CsvFault {
  message: string;
  line: number;
  column: number;
}

/**
 * Reads CSV as RFC 4180 has it: cells in double quotes may hold commas, line ends and doubled quotes. Lines end in LF or CRLF;
 * empty lines are left out.
 * @returns what could be read, and the fault that ended it, if any
 */
export function parseCsv(text: string): { rows: CsvCell[][]; fault?: CsvFault } {
  const rows: CsvCell[][] = [];
  const plain = /[^,\n]*/y;
  let row: CsvCell[] = [];
  let [line, lineStart, at] = [1, 0, 0];
  while (at <= text.length) {
    const start = { line, column: at - lineStart + 1 };
    let cell: string;
    if (text[at] === '"') {
      const end = closingQuote(text, at);
      if (end === undefined) return { rows, fault: { message: 'the quote that begins here has no end', ...start } };
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      line += cell.split('\n').length - 1;
      if (cell.includes('\n')) lineStart = text.lastIndexOf('\n', end) + 1;
      at = end + 1;
      if (!/^(,|\r?\n|\r?$)/.test(text.slice(at, at + 2))) {
        return { rows, fault: { message: 'there is text after the closing quote', line, column: at - lineStart + 1 } };
      }
    } else {
      plain.lastIndex = at;
      cell = plain.exec(text)![0].replace(/\r$/, '');
      at += cell.length;
    }
    row.push({ text: cell, ...start });
    if (text[at] === '\r') at += 1;
    if (text[at] !== ',') {
      if (row.length > 1 || row[0]!.text.trim() !== '') rows.push(row);
      row = [];
      line += 1;
      lineStart = at + 1;
    }
    at += 1;
  }
  return { rows };
}

/** @returns where the quoted cell that begins at `start` ends */
function closingQuote(text: string, start: number): number | undefined {
  for (let at = start + 1; ; at += 2) {
    at = text.indexOf('"', at);
    if (at === -1) return undefined;
    if (text[at + 1] !== '"') return at;
  }
}
