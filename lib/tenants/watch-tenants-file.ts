import { stat } from 'node:fs/promises'
import type { TenantConfig } from '../config/gateway-config.js'
import { hashOf, parseTenantsFile, readBytes, TenantsFileError } from './tenants-file.js'

export interface WatchTenantsFileOptions {
  /** Milliseconds between two looks. Default: 1000. */
  intervalMs?: number
  /** Hash of the content that is known already (loadTenantsFile). Default: whatever the first look finds. */
  contentHash?: string
  onChange: (tenants: TenantConfig[]) => void
  /** The new content cannot be used: once for each new content or failure, not once a look. */
  onError: (error: Error) => void
}

/**
 * Looks at the file at intervals rather than waiting for the system's notice of a change. Following symbolic links,
 * this sees what notices miss: Kubernetes swapping the `..data` link two steps away, a file renamed into place, NFS.
 *
 * A change counts when two looks in a row find the same: a file caught half-written can be valid with tenants missing,
 * and those would be disconnected. So a change is in force after one to three intervals.
 */
export function watchTenantsFile (
  path: string, { intervalMs = 1000, contentHash, onChange, onError }: WatchTenantsFileOptions
): { close (): void } {
  /** Hash of what was last told to onChange or onError. */
  let told = contentHash
  /** Hash of what the last look found. */
  let pending = contentHash
  /** Fingerprint of the file when it was last found unchanged. While it stays, there is nothing to read. */
  let settled: string | undefined
  let closed = false
  let timer: NodeJS.Timeout

  async function look (): Promise<void> {
    const before = await fingerprint(path)
    if (before !== undefined && before === settled) return
    const found = await read(path)
    if (closed) return
    const twice = found.hash === pending
    pending = found.hash
    if (told === undefined && found.error === undefined) told = found.hash
    if (!twice) return
    // A failure may pass without a change to the file, as on NFS: keep trying.
    settled = found.error === undefined ? before : undefined
    if (found.hash === told) return
    told = found.hash
    if (found.error === undefined) onChange(parseTenantsFile(path, found.bytes))
    else onError(found.error)
  }

  function schedule (): void {
    timer = setTimeout(() => {
      // Rejects with the TenantsFileError of a broken file, and with whatever onChange throws.
      look().catch(onError).finally(() => { if (!closed) schedule() })
    }, intervalMs)
    timer.unref()
  }

  schedule()
  return {
    close () {
      closed = true
      clearTimeout(timer)
    },
  }
}

/** A failure to read has a hash too, so that it is reported once, and its end is a change. */
type Found = { hash: string, bytes: Buffer, error?: undefined } | { hash: string, error: TenantsFileError }

async function read (path: string): Promise<Found> {
  try {
    const bytes = await readBytes(path)
    return { hash: hashOf(bytes), bytes }
  } catch (error) {
    if (!(error instanceof TenantsFileError)) throw error
    return { hash: `unreadable: ${error.message}`, error }
  }
}

/** Differs where the file was written, replaced, or another one is linked to. Undefined: not there. */
async function fingerprint (path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(':')
  } catch {
    // Reading it says why.
    return undefined
  }
}
