/** What the head of a program file says (System V ABI, "ELF Header" and "Program Header"). */
export interface ProgramFile {
  /** as in image-spec platforms */
  architecture: string;
  /** needs no loader, and so no libraries of a particular system */
  isStatic: boolean;
}

/** Enough of a file for its headers: programs have them at the start. */
export const ELF_HEAD = 4096;

const PT_INTERP = 3;
const machines: Record<number, string> = { 62: 'amd64', 183: 'arm64' };

/** Reads the head of a 64-bit little-endian ELF file. @returns undefined when it is none */
export function readElf(head: Uint8Array): ProgramFile | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const isElf = head.length >= 64 && view.getUint32(0) === 0x7f454c46 && head[4] === 2 && head[5] === 1;
  if (!isElf) return undefined;
  const machine = view.getUint16(18, true);
  const tableAt = Number(view.getBigUint64(32, true));
  const [entrySize, entries] = [view.getUint16(54, true), view.getUint16(56, true)];
  const types = Array.from({ length: entries }, (_, index) => tableAt + index * entrySize)
    .filter((at) => at + 4 <= head.length)
    .map((at) => view.getUint32(at, true));
  return { architecture: machines[machine] ?? `machine ${machine}`, isStatic: !types.includes(PT_INTERP) };
}
