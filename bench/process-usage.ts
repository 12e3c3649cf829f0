import { readFileSync } from 'node:fs'

/** /proc counts processor time in hundredths of a second, on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100
const BYTES_PER_KIB = 1024

/** Seconds of processor time that a process has used so far, all its threads together. Linux only. */
export function cpuSeconds (pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program comes second, in brackets, and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Bytes of memory that a process holds (RSS). Linux only. */
export function residentBytes (pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * BYTES_PER_KIB
}

/** Seconds that each core has worked so far, for whomever. Linux only. */
export function coreSeconds (): number[] {
  return [...readFileSync('/proc/stat', 'utf8').matchAll(/^cpu\d+ (.+)$/gm)].map(([, line]) => {
    const [user, nice, system, , , irq, softirq] = line.split(' ').map(Number)
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND
  })
}

/** How many files and sockets a process may have open at most, started from here. Node.js takes all it may. */
export function openFilesLimit (): number {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return hard === 'unlimited' ? Infinity : Number(hard)
}
