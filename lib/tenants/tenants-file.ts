import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { LineCounter, parseDocument } from 'yaml'
import type { TenantConfig } from '../config/gateway-config.js'
import { checkTenantsFile, type TenantsFileContent } from './tenants-file-schema.js'
import { yamlProblem } from './yaml-problem.js'

/** Bytes. A tenant takes about 200: this is some 40,000 of them. */
export const largestTenantsFile = 8 * 1024 * 1024

/** For whoever applies or checks a file of no tenants: it is taken, they may come later, yet it is rarely meant. */
export const noTenantsWarning = 'the tenants file lists no tenant: every client gets 4002 until it does'

/** Lines of an error message. A wrong indentation can make every line of a large file a problem. */
const shownProblems = 50

/** The tenants file cannot be read or used. Carries every problem found; none repeats a value of the file. */
export class TenantsFileError extends Error {
  readonly code = 'MICS_TENANTS_FILE_INVALID'

  constructor (readonly path: string, readonly problems: string[], options?: ErrorOptions) {
    const more = problems.length - shownProblems
    const lines = problems.slice(0, shownProblems).map(problem => `${path}: ${problem}`)
    super([...lines, ...(more > 0 ? [`${path}: and ${more} more`] : [])].join('\n'), options)
    this.name = 'TenantsFileError'
  }
}

/**
 * The tenants of a YAML or JSON file.
 * @throws {TenantsFileError} where it is missing, too large, not YAML, or says something it must not.
 */
export async function readTenantsFile (path: string): Promise<TenantConfig[]> {
  return parseTenantsFile(path, await readBytes(path))
}

/** The same together with the hash of the content, for watchTenantsFile to tell what is new. */
export async function loadTenantsFile (path: string): Promise<{ tenants: TenantConfig[], contentHash: string }> {
  const bytes = await readBytes(path)
  return { tenants: parseTenantsFile(path, bytes), contentHash: hashOf(bytes) }
}

/**
 * The file's bytes, whatever they are.
 * @throws {TenantsFileError} where it is missing, unreadable, no file, or too large.
 */
export async function readBytes (path: string): Promise<Buffer> {
  try {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    const found = await stat(path)
    if (!found.isFile()) throw new TenantsFileError(path, ['is not a file'])
    if (found.size > largestTenantsFile) throw tooLarge(path)
    const file = await open(path, 'r')
    try {
      return await readBounded(file, path)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof TenantsFileError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const problem = code === 'ENOENT'
      ? 'does not exist; set TENANTS_FILE to the path of a tenants file'
      : code === 'EACCES' ? 'may not be read by this user' : `cannot be read: ${message}`
    throw new TenantsFileError(path, [problem], { cause: error })
  }
}

/** @throws {TenantsFileError} where the content is not YAML, or says something it must not. */
export function parseTenantsFile (path: string, bytes: Buffer): TenantConfig[] {
  const checked = checkTenantsFile(parseYaml(path, bytes.toString('utf8')))
  if ('problems' in checked) throw new TenantsFileError(path, checked.problems)
  return tenantsOf(checked.valid)
}

export function hashOf (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64')
}

async function readBounded (file: Awaited<ReturnType<typeof open>>, path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  // It may have grown meanwhile. One byte past the bound is enough to know.
  for await (const chunk of file.createReadStream({ end: largestTenantsFile, autoClose: false })) {
    chunks.push(chunk)
    size += chunk.length
  }
  if (size > largestTenantsFile) throw tooLarge(path)
  return Buffer.concat(chunks)
}

function tooLarge (path: string): TenantsFileError {
  return new TenantsFileError(path, [`is larger than ${largestTenantsFile / 1024 / 1024} MiB; split the tenants between gateways`])
}

function parseYaml (path: string, source: string): unknown {
  const lineCounter = new LineCounter()
  // JSON is YAML too. Pretty errors would quote the lines around, secrets included.
  const document = parseDocument(source, { lineCounter, prettyErrors: false, stringKeys: true })
  const problems = document.errors.map(error => {
    const { line, col } = lineCounter.linePos(error.pos[0])
    return `line ${line}, column ${col}: ${yamlProblem(error)}`
  })
  if (problems.length > 0) throw new TenantsFileError(path, problems)
  try {
    // Anchors are for sharing defaults, so a file may use one often. What they could multiply, the schema's fixed
    // depth keeps small; the bound is against a file made to harm.
    return document.toJS({ maxAliasCount: 1_000_000 })
  } catch (error) {
    throw new TenantsFileError(path, ['uses an anchor that does not exist, or far too many of them'], { cause: error })
  }
}

function tenantsOf ({ tenants }: TenantsFileContent): TenantConfig[] {
  return Object.entries(tenants).map(([id, { secret = '', ...tenant }]) => ({ id, secret, ...tenant }))
}
