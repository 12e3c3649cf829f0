// An archive of the classes that a broker loads (class data sharing of the JVM): with it a start takes half of the
// time, and the tests start many. Everything works without.
import { spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { classArchive } from '../find-kafka.js'

/** Does the archive fit this Java and these jars? One that does not is ignored when a broker starts. */
export function isArchiveGood (java, libs) {
  return fits(java, libs, classArchive(libs))
}

/**
 * Starts a broker and lets it write the archive when it ends.
 * @param {string} java
 * @param {string} libs
 * @returns {Promise<boolean>} false: that did not work
 */
export async function makeArchive (java, libs) {
  const folder = mkdtempSync(join(tmpdir(), 'mics-kafka-classes-'))
  const fresh = `${classArchive(libs)}-${process.pid}`
  try {
    const config = join(folder, 'server.properties')
    writeFileSync(config, properties(folder))
    const classes = ['-cp', join(libs, '*')]
    const format = ['kafka.tools.StorageTool', 'format', '--cluster-id', 'bWljcy10ZXN0LWNsdXN0ZXI', '--config', config]
    spawnSync(java, [...classes, ...format], { stdio: 'ignore' })
    await startAndStop(java, [`-XX:ArchiveClassesAtExit=${fresh}`, '-XX:+UseSerialGC', ...classes, 'kafka.Kafka', config])
    if (!fits(java, libs, fresh)) return false
    renameSync(fresh, classArchive(libs))
    return true
  } finally {
    rmSync(fresh, { force: true })
    rmSync(folder, { recursive: true, force: true })
  }
}

function fits (java, libs, archive) {
  const args = ['-Xshare:on', `-XX:SharedArchiveFile=${archive}`, '-XX:+UseSerialGC', '-cp', join(libs, '*'), '-version']
  return spawnSync(java, args, { stdio: 'ignore' }).status === 0
}

function properties (folder) {
  // Where one of them is taken, there is no archive this time.
  const [port, controllerPort] = [randomInt(15_000, 24_000), randomInt(24_000, 32_768)]
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
log.dirs=${folder}/data
`
}

async function startAndStop (java, args) {
  const broker = spawn(java, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(broker, 'exit')
  let tail = ''
  broker.stderr.setEncoding('utf8').on('data', chunk => {
    tail = (tail + chunk).slice(-10_000)
    if (tail.includes('Kafka Server started')) broker.kill()
  })
  await ended
}
