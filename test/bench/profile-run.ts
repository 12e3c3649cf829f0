import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { npmRun } from './npm-run.js'

interface Frame {
  functionName: string
  url: string
  lineNumber: number
}

/**
 * Profiles the gateway for a second: a table of functions is printed, and the profile has the method where the file has
 * it. Resolves with the path of the flame graph.
 */
export async function profileRun (t: Test, shape: string, file: string, method: string): Promise<string> {
  const folder = t.testdir({})
  const { stdout, stderr, exitCode } = await npmRun('bench:profile', '--shape', shape, '--seconds', '1', '--out', folder)
  t.equal(exitCode, 0, stderr)
  t.match(stdout, new RegExp(`^${shape}: [1-9]\\d* `))
  const rows = stdout.split('\n').filter(line => /^ *\d+\.\d % {2}/.test(line))
  t.equal(rows.length, 25, stdout)
  for (const row of rows) t.match(row, /^ *\d+\.\d % {2}\S.*?( {2,}\S+:\d+)?$/)
  const shares = rows.map(parseFloat)
  t.ok(shares[0] > 0)
  t.same(shares, shares.toSorted((a, b) => b - a), 'the most time comes first')

  const { nodes, samples } = JSON.parse(readFileSync(join(folder, `${shape}.cpuprofile`), 'utf8'))
  t.ok(samples.length > 0)
  const frames: Frame[] = nodes.map(({ callFrame }: { callFrame: Frame }) => callFrame)
  t.ok(frames.some(frame => isAt(frame, file, method)), `${method} of ${file} is in it, on the line of the source`)
  return join(folder, `${shape}.html`)
}

function isAt ({ functionName, url, lineNumber }: Frame, file: string, method: string): boolean {
  if (functionName !== method || !url.endsWith(`/${file}`)) return false
  const lines = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split('\n')
  return new RegExp(`^ {2}(async )?${method} \\(`).test(lines[lineNumber])
}
