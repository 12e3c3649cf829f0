import { readFileSync } from 'node:fs'
import { CommandError } from './failure.js'

/** The secret in a file, without the line break at its end. */
export function readSecret (path: string): string {
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (secret !== '') return secret
  } catch (error) {
    throw new CommandError('MICS_SECRET_FILE_UNREADABLE', `--secret-file: cannot read ${path}: ${(error as Error).message}`)
  }
  throw new CommandError('MICS_SECRET_FILE_EMPTY', `--secret-file: ${path} is empty; write the secret into it`)
}
