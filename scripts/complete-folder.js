import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'

/**
 * Makes a folder that is there only when it is complete: it is filled under another name, which does not outlive this
 * process.
 * @param {string} target its path; what is there is replaced
 * @param {(folder: string) => void} fill puts everything in, or ends the process
 */
export function completeFolder (target, fill) {
  mkdirSync(dirname(target), { recursive: true })
  const fresh = mkdtempSync(`${target}-`)
  process.once('exit', () => rmSync(fresh, { recursive: true, force: true }))
  fill(fresh)
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
}
