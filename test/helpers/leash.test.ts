import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import t from 'tap'
import { until } from './until.js'

/** Puts a program on a leash that shares its stdout, and prints its pid. */
const holder = `
import { spawn } from 'node:child_process'
import { putOnLeash } from './leash.ts'
const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'inherit', 'ignore'] })
putOnLeash(child, process.argv[1])
console.log(child.pid)
`

t.test('a program on a leash ends with the process that started it, however that ends, and its folder is removed', async t => {
  const folder = t.testdir({ file: '' })
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', holder, folder], {
    cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(parent.stdout, 'close')
  const [line] = await once(parent.stdout, 'data')
  process.kill(Number(String(line)), 'SIGSTOP')
  parent.kill('SIGKILL')
  await closed
  t.pass('nobody has its stdout any more: the program is gone')
  await until('its folder is gone', () => !existsSync(folder))
})
