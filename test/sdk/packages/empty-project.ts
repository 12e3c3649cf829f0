import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { root } from '../../helpers/markdown.js'

/** A folder of somebody who has just installed our packages, as they would be published. */
export class EmptyProject {
  private constructor (readonly folder: string) {}

  /** @param names of packages in sdk/ */
  static install (t: Test, ...names: string[]): EmptyProject {
    const folder = mkdtempSync(join(tmpdir(), 'mics-project-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const project = new EmptyProject(folder)
    project.write('package.json', JSON.stringify({ name: 'somebodys-project', private: true, type: 'module' }))
    const tarballs = names.map(name => {
      const packed = run(folder, 'npm', ['pack', '--json', '--pack-destination', folder, join(root, 'sdk', name)])
      return join(folder, (JSON.parse(packed) as Array<{ filename: string }>)[0].filename)
    })
    run(folder, 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs])
    return project
  }

  write (name: string, text: string): void {
    writeFileSync(join(this.folder, name), text)
  }

  /** Runs a file of the project. Returns what it printed; throws where it fails. */
  run (name: string): string {
    return run(this.folder, process.execPath, [name])
  }

  /** Runs a program of the repository's own node_modules here. Returns what it printed; throws where it fails. */
  runTool (entry: string, ...args: string[]): string {
    return run(this.folder, process.execPath, [join(root, 'node_modules', entry), ...args])
  }
}

function run (cwd: string, command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? ''}\n${stdout}\n${stderr}`)
  return stdout
}
