import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const hasTaskset = spawnSync('taskset', ['-V']).status === 0

/** Processes of a benchmark, each pinned to a core where `taskset` is present. */
export class Processes {
  private readonly children: ChildProcess[] = []

  /** Starts a script and resolves with the URL that it prints as its first line. */
  async start (core: number, script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const command = [process.execPath, '--import', 'tsx', script]
    const [file, ...args] = hasTaskset ? ['taskset', '-c', String(core), ...command] : command
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
    this.children.push(child)
    const [url] = await once(createInterface(child.stdout), 'line') as [string]
    return url
  }

  close (): void {
    for (const child of this.children) child.kill('SIGKILL')
  }
}
