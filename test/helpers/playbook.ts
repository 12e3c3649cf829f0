import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Test } from 'tap'
import { isFree } from './free-port.js'
import { putOnLeash } from './leash.js'
import { readDocument, root } from './markdown.js'

/** A block of commands on the page, and what it prints. */
export interface Step {
  /** The chapter, `##`. */
  chapter: string
  /** The nearest heading. */
  heading: string
  /** Of the page. */
  line: number
  commands: string
  /** Lines that come in this order, `…` for anything; those between them do not matter. */
  expected: string[]
}

/** Milliseconds for a step. The page's own waiting ends before. */
const STEP_MS = 120_000

/** Ports of the page are FIRST_PORT + 1 to + 42. */
const PORTS = 42

/** The `sh` blocks of a page, each with the `text` block right after it. */
export function stepsOf (markdown: string): Step[] {
  const steps: Step[] = []
  let [chapter, heading] = ['', '']
  const lines = markdown.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const [, marks, title] = /^(##+) (.+)$/.exec(lines[i]) ?? []
    const [, language] = /^```(\w+)$/.exec(lines[i]) ?? []
    if (marks !== undefined) {
      heading = title
      if (marks === '##') chapter = title
    }
    if (language === undefined) continue
    const end = lines.indexOf('```', i)
    const block = lines.slice(i + 1, end)
    if (language === 'sh') steps.push({ chapter, heading, line: i + 1, commands: block.join('\n'), expected: [] })
    if (language === 'text') (steps.at(-1) as Step).expected = block
    i = end
  }
  return steps
}

/** The first of these lines that the output does not have behind the lines before it; undefined: it has all of them. */
export function missingLine (expected: readonly string[], output: string): string | undefined {
  const printed = output.split('\n').map(line => line.trimEnd())
  let from = 0
  for (const line of expected) {
    const pattern = new RegExp(`^${line.trimEnd().split('…').map(escape).join('.*')}$`)
    const found = printed.findIndex((one, index) => index >= from && pattern.test(one))
    if (found === -1) return line
    from = found + 1
  }
  return undefined
}

/** Follows chapters of a page in one bash, in a copy of the project, on free ports. Nothing of it is left. */
export async function followPlaybook (t: Test, path: string, chapters: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mics-playbook-'))
  const bash = new Bash(copyOfProject(join(folder, 'project')), folder, await firstPort())
  t.teardown(async () => {
    await bash.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  const steps = stepsOf(readDocument(path)).filter(({ chapter }) => chapters.includes(chapter))
  for (const { heading, line, commands, expected } of steps) {
    await t.test(`${path}:${line} ${heading}`, async t => {
      const { output, status } = await bash.run(commands)
      const missing = missingLine(expected, output)
      if (status === undefined) t.fail('it takes too long', { output, logs: bash.logs() })
      else if (missing !== undefined) t.fail(`it does not print: ${missing}`, { output, logs: bash.logs() })
      else t.equal(status, 0, 'it prints what is expected, and its last command succeeds', status === 0 ? {} : { output, logs: bash.logs() })
    })
    // What follows builds on it.
    if (!t.passing()) return
  }
  await bash.end()
  t.notOk(bash.hasProcesses(), 'nothing runs any more')
}

/** A shell, and with all that it starts a process group of its own. */
class Bash {
  private readonly child: ChildProcess
  private output = ''

  constructor (cwd: string, private readonly folder: string, firstPort: number) {
    const { PATH, HOME, REDIS_SERVER_PATH, JAVA_PATH, KAFKA_LIBS_DIR, XDG_CACHE_HOME } = process.env
    const found = { PATH, HOME, REDIS_SERVER_PATH, JAVA_PATH, KAFKA_LIBS_DIR, XDG_CACHE_HOME }
    this.child = spawn('bash', ['--noprofile', '--norc'], {
      cwd,
      detached: true,
      env: { ...found, TMPDIR: folder, FIRST_PORT: String(firstPort) },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    putOnLeash(this.child, folder, { group: true })
    this.child.stdout?.setEncoding('utf8').on('data', chunk => { this.output += chunk })
    this.child.stdin?.write('exec 2>&1\n')
  }

  /** What it prints, stderr included, and the exit status of the last command; none where it takes too long. */
  async run (commands: string): Promise<{ output: string, status?: number }> {
    const [end, file] = [`end of ${randomUUID()}`, join(this.folder, 'step.sh')]
    writeFileSync(file, `${commands}\n`)
    this.output = ''
    this.child.stdin?.write(`. '${file}' < /dev/null; echo "${end}: $?"\n`)
    const signal = AbortSignal.timeout(STEP_MS)
    const pattern = new RegExp(`${end}: (\\d+)\n`)
    while (!signal.aborted) {
      const [mark, status] = pattern.exec(this.output) ?? []
      if (mark !== undefined) return { output: this.output.replace(mark, ''), status: Number(status) }
      await once(this.child.stdout as NodeJS.ReadableStream, 'data', { signal }).catch(error => {
        if (!signal.aborted) throw error
      })
    }
    return { output: this.output }
  }

  /** The last lines of each log in the page's folder. */
  logs (): string {
    return readdirSync(this.folder, { encoding: 'utf8', recursive: true })
      .filter(path => path.endsWith('.log') && !path.startsWith('project'))
      .map(path => `--- ${basename(path)}\n${readFileSync(join(this.folder, path), 'utf8').split('\n').slice(-15).join('\n')}`)
      .join('\n')
  }

  async end (): Promise<void> {
    const gone = once(this.child, 'exit')
    this.child.stdin?.end()
    await gone
  }

  /** Are there any of its process group? */
  hasProcesses (): boolean {
    return this.signal(0)
  }

  async kill (): Promise<void> {
    const gone = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'exit') : undefined
    this.signal('SIGKILL')
    await gone
  }

  /** False where there is nobody to take it. */
  private signal (signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-(this.child.pid as number), signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      return false
    }
  }
}

/** As a clone after `npm ci`: other tests must not see what is built there. */
export function copyOfProject (copy: string): string {
  mkdirSync(copy)
  for (const name of readdirSync(root).filter(name => !name.startsWith('.') && !['node_modules', 'dist', 'test'].includes(name))) {
    cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

async function firstPort (): Promise<number> {
  for (;;) {
    // Not from those that the system gives to outgoing connections: servers of the page leave and come back.
    const first = randomInt(15_000, 32_000)
    const ports = Array.from({ length: PORTS }, (_, index) => first + index + 1)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
}

function escape (text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
