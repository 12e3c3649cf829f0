/**
 * What the body of each message begins with, so that whoever receives it knows which one it is: the run (32 bits, the
 * highest 8 of them the thread), the sender's stream, its sequence, and the time in microseconds, of which the lowest
 * 32 bits are enough: they tell latencies of up to an hour.
 */
export const STAMP_BYTES = 16

export function writeStamp (
  out: Buffer, at: number, run: number, stream: number, sequence: number, timeMs: number
): void {
  out.writeUInt32BE(run, at)
  out.writeUInt32BE(stream, at + 4)
  writeSequenceAndTime(out, at, sequence, timeMs)
}

/** Of a stamp whose run and stream stand there already. */
export function writeSequenceAndTime (out: Buffer, at: number, sequence: number, timeMs: number): void {
  out.writeUInt32BE(sequence, at + 8)
  out.writeUInt32BE(microseconds(timeMs), at + 12)
}

export function stampRun (bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at)
}

export function stampStream (bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 4)
}

export function stampSequence (bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 8)
}

/** Microseconds from the time of the stamp to `nowMs`, both by the same clock. */
export function microsecondsSince (bytes: Buffer, at: number, nowMs: number): number {
  return (microseconds(nowMs) - bytes.readUInt32BE(at + 12)) >>> 0
}

function microseconds (timeMs: number): number {
  return Math.floor(timeMs * 1000) % 0x1_0000_0000
}
