import { spawn, type ChildProcess } from 'node:child_process'

/**
 * Kills a program and removes its folder when this process ends before it, in whatever way: an exit handler sees
 * neither a SIGKILL nor the SIGTERM of a test runner that has waited long enough.
 * @param options.group whether it is the process group that it leads
 * @param options.signal TERM for a program that has processes of its own to end
 */
export function putOnLeash (
  child: ChildProcess, folder: string, { group = false, signal = 'KILL' }: { group?: boolean, signal?: 'KILL' | 'TERM' } = {}
): void {
  if (child.pid === undefined) return
  // Its stdin ends with this process, and brings a line if the program ends by itself. Ctrl-C at a terminal reaches it
  // as well, and must not end it first.
  const script = 'trap "" INT TERM HUP; read -r line && exit; kill -"$2" "$0"; rm -rf "$1"'
  const target = `${group ? '-' : ''}${child.pid}`
  const watcher = spawn('/bin/sh', ['-c', script, target, folder, signal], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.once('exit', () => watcher.stdin.end('it has ended\n'))
}
