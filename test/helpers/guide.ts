import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { lastingPort } from './free-port.js'
import { readDocument, root } from './markdown.js'
import { copyOfProject, missingLine } from './playbook.js'
import { Terminal } from './terminal.js'

/** What a fenced block of a guide is. */
export interface Block {
  kind:
    | 'file'
    /** Runs in a terminal to its end; in one with a name it goes on, until the terminal gets another command. */
    | 'command'
    /** What a terminal prints: lines in this order, `…` for anything; those between them do not matter. */
    | 'output'
  heading: string
  /** Of the page. */
  line: number
  text: string
  /** Of a file: its path. */
  name?: string
  terminal?: string
}

export interface GuideOptions {
  /** The chapters to follow, by their headings; all, unless given. */
  chapters?: readonly string[]
  /** Ports of the page. Each becomes a free one, unless `given` has another. */
  ports: readonly string[]
  given?: Record<string, number>
  /** Lines of commands, and what runs instead of them, such as for what would be fetched from the network. */
  instead?: Record<string, string>
  /** Lines of commands that may be tried five times. */
  patient?: RegExp
  /** Packages that are installed by a command that nothing runs instead of: those of the repository. */
  linked?: string[]
  /** Looks, at the end of a chapter, at what the page's commands do not show. By heading. */
  after?: Record<string, (t: Test, guide: Guide) => Promise<void>>
}

const TERMINAL_MS = 90_000

/**
 * The blocks of a guide. Of code each is a file, named by its first line, a comment. An `sh` block is commands; a word
 * behind `sh` names the terminal in which they go on running (`sh gateway`). A `text` block is what the commands before
 * it print, or with a word behind it (`text gateway`) what that terminal does.
 */
export function blocksOf (markdown: string): Block[] {
  const blocks: Block[] = []
  const lines = markdown.split('\n')
  let heading = ''
  for (let i = 0; i < lines.length; i++) {
    heading = /^##+ (.+)$/.exec(lines[i])?.[1] ?? heading
    const [, language, terminal] = /^```(\w+)(?: (\S+))?$/.exec(lines[i]) ?? []
    if (language === undefined) continue
    const end = lines.indexOf('```', i)
    const common = { heading, line: i + 1, text: lines.slice(i + 1, end).join('\n') }
    if (language === 'sh') {
      blocks.push({ ...common, kind: 'command', terminal })
    } else if (language === 'text') {
      const before = blocks.findLast(block => block.kind === 'command')
      blocks.push({ ...common, kind: 'output', terminal: terminal ?? before?.terminal })
    } else {
      const [, name] = /^(?:\/\/|<!--|#) ([\w./-]+\.\w+)(?: -->)?$/.exec(lines[i + 1]) ?? []
      if (name === undefined) throw new Error(`line ${i + 1}: the first line of a block of code names its file, in a comment`)
      blocks.push({ ...common, kind: 'file', name })
    }
    i = end
  }
  return blocks
}

/**
 * Somebody who follows a guide: an empty folder, in it a checkout of the repository, `mics`, beside it what the guide
 * makes; and terminals. Those that are named `gateway` and `mock` are in the checkout, and the others in the folder in
 * which the unnamed one is.
 */
export class Guide {
  private readonly terminals = new Map<string, Terminal>()
  private main = ''

  private constructor (
    private readonly folder: string,
    private readonly ports: ReadonlyMap<string, number>,
    private readonly options: GuideOptions
  ) {}

  /** Follows a page, in its order. Nothing of it is left. */
  static async follow (t: Test, path: string, options: GuideOptions): Promise<void> {
    const ports = new Map<string, number>()
    for (const port of options.ports) ports.set(port, options.given?.[port] ?? await lastingPort())
    const folder = mkdtempSync(join(tmpdir(), 'mics-guide-'))
    copyOfProject(join(folder, 'mics'))
    const guide = new Guide(folder, ports, options)
    guide.main = join(folder, 'mics')
    t.teardown(async () => {
      for (const terminal of guide.terminals.values()) await terminal.kill()
      rmSync(folder, { recursive: true, force: true })
    })
    const blocks = blocksOf(readDocument(path)).filter(({ heading }) => options.chapters?.includes(heading) ?? true)
    for (const [index, block] of blocks.entries()) {
      await t.test(`${path}:${block.line} ${block.heading}`, async t => await guide.do(t, block))
      // What follows builds on it.
      if (!t.passing()) return
      const after = options.after?.[block.heading]
      if (after === undefined || blocks[index + 1]?.heading === block.heading) continue
      await t.test(block.heading, async t => await after(t, guide))
      if (!t.passing()) return
    }
    for (const [name, terminal] of guide.terminals) t.equal(await terminal.interrupt(), true, `${name} ends at Ctrl-C`)
  }

  /** The folder in which the page works now. */
  get project (): string {
    return this.main
  }

  /** A url or a command of the page, with the ports of this test. */
  here (text: string): string {
    return text.replace(/\b\d{4}\b/g, port => String(this.ports.get(port) ?? port))
  }

  private async do (t: Test, block: Block): Promise<void> {
    if (block.kind === 'file') {
      const file = join(this.main, block.name as string)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, `${this.here(block.text)}\n`)
      t.pass(block.name as string)
    } else if (block.kind === 'command') {
      await this.run(t, block.terminal, block.text)
    } else {
      await this.expect(t, block.terminal ?? '', this.here(block.text).split('\n'))
    }
  }

  private async run (t: Test, name = '', text: string): Promise<void> {
    const { instead = {}, linked = [], patient } = this.options
    const commands = this.here(text.replace(/\\\n */g, '').split('\n').map(line => {
      if (instead[line] !== undefined) return instead[line]
      if (patient?.test(line) === true) return `${line} || ${line} || ${line} || ${line} || ${line}`
      const install = /^npm install ((?:(?!\.\.)\S+ ?)+)$/.exec(line)
      if (install === null) return line
      for (const one of install[1].split(' ').filter(word => !word.startsWith('-'))) {
        if (!linked.includes(one)) throw new Error(`npm install ${one} would fetch it: name it in \`linked\``)
        this.link(one)
      }
      return ':'
    }).join('\n'))
    const before = this.terminals.get(name)
    if (before !== undefined) await before.interrupt()
    const [cwdFile, shellFile] = [join(this.folder, 'cwd'), join(this.folder, 'shell')]
    // What is pasted into a terminal once is known there from then on.
    const known = `touch '${shellFile}'; . '${shellFile}'`
    const isLasting = name !== ''
    const cwd = ['gateway', 'mock'].includes(name) ? join(this.folder, 'mics') : this.main
    const done = `set -e\n${commands}\ndeclare -f > '${shellFile}'\npwd > '${cwdFile}'`
    const terminal = new Terminal(cwd, `${known}\n${isLasting ? commands : done}`, this.folder)
    this.terminals.set(name, terminal)
    if (isLasting) return
    await terminal.prints(() => false, TERMINAL_MS)
    t.equal(terminal.exitCode, 0, 'the commands succeed', { output: terminal.output })
    if (terminal.exitCode === 0) this.main = readFileSync(cwdFile, 'utf8').trim()
  }

  private async expect (t: Test, name: string, lines: string[]): Promise<void> {
    const terminal = this.terminals.get(name) as Terminal
    await terminal.prints(output => missingLine(lines, output) === undefined, TERMINAL_MS)
    const missing = missingLine(lines, terminal.output)
    if (missing === undefined) t.pass('it prints what is expected')
    else t.fail(`it does not print: ${missing}`, { output: terminal.output })
  }

  /** Puts a package of the repository, and its commands, where npm would install it. */
  private link (name: string): void {
    const target = join(this.main, 'node_modules', name)
    mkdirSync(dirname(target), { recursive: true })
    rmSync(target, { recursive: true, force: true })
    symlinkSync(join(root, 'node_modules', name), target)
    const { bin = {} } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')) as { bin?: Record<string, string> }
    for (const command of typeof bin === 'string' ? [] : Object.keys(bin)) {
      mkdirSync(join(this.main, 'node_modules/.bin'), { recursive: true })
      cpSync(join(root, 'node_modules/.bin', command), join(this.main, 'node_modules/.bin', command), { dereference: false, force: true })
    }
  }
}
