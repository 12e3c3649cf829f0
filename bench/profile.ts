/**
 * Where a gateway under load spends its processor time: V8's profiler in the gateway's own process, started when the
 * load is running and the code compiled. Prints the functions with the most time of their own, and leaves the profile
 * and a flame graph to open in a browser in a folder.
 *
 *   npm run bench:profile -- [--shape pair|group|checked|connect] [--seconds 5] [--out bench/profiles]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import type { Profiler } from 'node:inspector'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { flameGraph } from './profile/flame-graph.js'
import { SHAPES, type Shape } from './profile/load.js'
import { selfTimes } from './profile/self-time.js'
import { ScriptProcess } from './script-process.js'

/** What is compiled and optimized by then is what runs for the rest of a gateway's life. */
const WARM_UP_MS = 2000
const MAX_SECONDS = 60
const TOP = 25

const root = fileURLToPath(new URL('..', import.meta.url))

function fail (problem: string): never {
  console.error(`${problem}\nusage: npm run bench:profile -- [--shape ${Object.keys(SHAPES).join('|')}] [--seconds 5] [--out bench/profiles]`)
  process.exit(2)
}

function parse (): { shape: Shape, seconds: number, out: string } {
  try {
    const { values } = parseArgs({
      options: {
        shape: { type: 'string', default: 'pair' },
        seconds: { type: 'string', default: '5' },
        out: { type: 'string', default: 'bench/profiles' },
      },
    })
    const seconds = Number(values.seconds)
    if (!(seconds > 0 && seconds <= MAX_SECONDS)) fail(`--seconds must be a number above 0, at most ${MAX_SECONDS}`)
    if (!Object.hasOwn(SHAPES, values.shape)) fail(`there is no shape "${values.shape}"`)
    return { shape: values.shape as Shape, seconds, out: values.out }
  } catch (error) {
    return fail((error as Error).message)
  }
}

/** Profiles the gateway for so long under the load; says what the load was on the way. */
async function profileUnder (shape: Shape, seconds: number): Promise<Profiler.Profile> {
  const hooks = await ScriptProcess.start(1, 'bench/trivial-hooks.ts')
  const gateway = await ScriptProcess.start(0, 'bench/profile/gateway.ts', {
    TENANT_AUTH_MAP: JSON.stringify({ checked: `${hooks.url}/checked`, unchecked: `${hooks.url}/unchecked` }),
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'silent',
    HANDSHAKE_MAX_PER_SECOND: '100000',
    HOOK_QUEUE_TIMEOUT_MS: '1000',
  })
  try {
    const load = await SHAPES[shape].start(gateway.url)
    // A short one only shows that it works.
    await delay(Math.min(WARM_UP_MS, seconds * 1000))
    await gateway.ask('start')
    const before = load.done
    const startedAt = performance.now()
    await delay(seconds * 1000)
    const done = load.done - before
    const took = (performance.now() - startedAt) / 1000
    const profile = await gateway.ask('stop') as Profiler.Profile
    await load.stop()
    if (done === 0) throw new Error('the gateway did nothing while it was profiled: take more --seconds')
    console.log(`${shape}: ${done} ${SHAPES[shape].what}, in ${took.toFixed(1)} s`)
    return profile
  } finally {
    gateway.close()
    hooks.close()
  }
}

function printSelfTimes (profile: Profiler.Profile): void {
  const { functions, idleShare } = selfTimes(profile, root)
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  console.log(`\nself time, of the time in which the gateway was not idle; it was for ${percent(idleShare)}`)
  for (const { share, name, place } of functions.slice(0, TOP)) {
    console.log(`${percent(share).padStart(7)}  ${name.padEnd(34)}  ${place}`.trimEnd())
  }
}

function save (shape: Shape, profile: Profiler.Profile, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const text = JSON.stringify(profile)
  const files = [join(folder, `${shape}.cpuprofile`), join(folder, `${shape}.html`)]
  writeFileSync(files[0], text)
  writeFileSync(files[1], flameGraph(`${shape}.cpuprofile`, text))
  console.log(`\nflame graph, to open in a browser: ${files[1]}`)
  console.log(`profile, for Chrome's DevTools: ${files[0]}`)
}

const { shape, seconds, out } = parse()
const profile = await profileUnder(shape, seconds)
printSelfTimes(profile)
save(shape, profile, out)
