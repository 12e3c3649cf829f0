import { spawn, type ChildProcess } from 'node:child_process'

/**
 * Kills a program, or the process group that it leads, and removes its folder when this process ends before it, in
 * whatever way: an exit handler sees neither a SIGKILL nor the SIGTERM of a test runner that has waited long enough.
 */
export function putOnLeash (child: ChildProcess, folder: string, { group = false } = {}): void {
  if (child.pid === undefined) return
  // Its stdin ends with this process, and brings a line if the program ends by itself. Ctrl-C at a terminal reaches it
  // as well, and must not end it first.
  const script = 'trap "" INT TERM HUP; read -r line && exit; kill -9 "$0"; rm -rf "$1"'
  const watcher = spawn('/bin/sh', ['-c', script, `${group ? '-' : ''}${child.pid}`, folder], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.once('exit', () => watcher.stdin.end('it has ended\n'))
}
