import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Test } from 'tap'
import { findImageNode } from '../../scripts/find-image-node.js'
import { readDocument, root } from '../helpers/markdown.js'

/** Nobody's, on every Unix. */
const NOBODY = 65_534

interface Instruction {
  name: string
  text: string
}

/** The stages of a Dockerfile by name, the last one under ''. */
function stagesOf (dockerfile: string): Map<string, Instruction[]> {
  const lines = dockerfile.split('\n').filter(line => !line.startsWith('#')).join('\n').replace(/\\\n */g, '').split('\n')
  const stages = new Map<string, Instruction[]>()
  let stage: Instruction[] = []
  for (const [, name, text] of lines.map(line => /^([A-Z]+) +(.+)$/.exec(line)).filter(match => match !== null)) {
    if (name === 'FROM') stages.set(/ AS (\w+)$/.exec(text)?.[1] ?? '', stage = [])
    else stage.push({ name, text })
  }
  return stages
}

/**
 * What the Dockerfile puts into /app, in a folder of this machine that nobody can write to, made by following the
 * Dockerfile, run by the Node.js that the image has.
 */
export class Image {
  private constructor (private readonly folder: string, private readonly instructions: Instruction[]) {}

  static build (t: Test): Image {
    const folder = mkdtempSync(join(tmpdir(), 'mics-image-'))
    t.teardown(() => {
      spawnSync('chmod', ['-R', 'u+w', folder])
      rmSync(folder, { recursive: true })
    })
    const stages = stagesOf(readDocument('Dockerfile'))
    const instructions = stages.get('') as Instruction[]
    for (const [name, steps] of stages) follow(name, steps, folder)
    // Not where it is installed: that may be a folder of this user alone.
    cpSync(imageNode(), join(folder, 'node'))
    spawnSync('chmod', ['-R', 'a-w,a+rX', folder])
    return new Image(folder, instructions)
  }

  /** Starts what ENTRYPOINT and CMD say, without tini. */
  start (env: NodeJS.ProcessEnv, args = this.words('CMD')): ChildProcess {
    const entrypoint = this.words('ENTRYPOINT')
    return this.spawn([...entrypoint.slice(entrypoint.indexOf('--') + 1), ...args], env)
  }

  /** The command of HEALTHCHECK. */
  checkHealth (env: NodeJS.ProcessEnv): ChildProcess {
    return this.spawn(this.words('HEALTHCHECK'), env)
  }

  private spawn ([command, ...args]: string[], env: NodeJS.ProcessEnv): ChildProcess {
    if (command !== 'node') throw new Error(`${command}: the image runs node`)
    const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
    return spawn(join(this.folder, 'node'), args, { cwd: join(this.folder, 'app'), env: { NODE_ENV: 'production', ...env }, ...identity })
  }

  private words (name: string): string[] {
    const text = this.instructions.findLast(instruction => instruction.name === name)?.text ?? ''
    return JSON.parse(text.slice(text.indexOf('[')))
  }
}

function imageNode (): string {
  const { path } = findImageNode()
  if (path === undefined) throw new Error('the Node.js of the image is missing: node scripts/install-image-node.js')
  return path
}

/** Does what a stage does to /app. What its RUN does to the rest of an image is left out. */
function follow (stage: string, steps: Instruction[], folder: string): void {
  const app = join(folder, stage === '' ? 'app' : stage)
  mkdirSync(app)
  for (const { name, text } of steps) {
    if (name === 'COPY') copy(text, app, folder)
    if (name === 'RUN') run(text, app)
  }
}

function copy (text: string, app: string, folder: string): void {
  const [, stage, words] = /^(?:--from=(\w+) )?(.+)$/.exec(text) as RegExpExecArray
  const paths = words.split(' ')
  const target = paths.pop() as string
  for (const path of paths) {
    if (stage !== undefined) {
      cpSync(join(folder, stage, path.replace('/app/', '')), join(app, target), { recursive: true, verbatimSymlinks: true })
    } else if (path === '.') {
      cpSync(root, app, { recursive: true, filter: isInContext() })
    } else {
      cpSync(join(root, path), join(app, path))
    }
  }
}

/** What Docker gets of the project: nothing that .dockerignore names. */
function isInContext (): (path: string) => boolean {
  const ignored = readDocument('.dockerignore').split('\n').filter(line => line !== '' && !line.startsWith('#'))
    .map(pattern => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`))
  return path => !ignored.some(pattern => pattern.test(relative(root, path)))
}

function run (command: string, app: string): void {
  // The packages that only building takes are here already.
  if (command === 'npm ci --ignore-scripts') return symlinkSync(join(root, 'node_modules'), join(app, 'node_modules'))
  // Debian's packages, a link outside of /app, and the Kafka client, which may have no binary for this machine.
  if (/^(apt-get|ln|node -e) /.test(command)) return
  const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: app, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}
