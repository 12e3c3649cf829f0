// Builds the Kafka client as its own install script would, only that this works without downloads.
import { spawnSync } from 'node:child_process'
import {
  closeSync, cpSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { findExecutable } from '../find-executable.js'
import { copyBuiltFiles } from './built-files.js'

const logLines = 60

/** Compilers at once. */
const jobs = availableParallelism()

/**
 * @param {string} packageFolder that of the client's package; gets what is needed of a build, nothing where that fails
 * @returns {string | undefined} why it failed
 */
export function buildClient (packageFolder) {
  const nodeGyp = findNodeGyp()
  if (nodeGyp === undefined) return 'Building the Kafka client takes node-gyp, which comes with npm, and there is no npm on PATH.'
  const folder = mkdtempSync(join(tmpdir(), 'mics-kafka-client-'))
  try {
    const output = join(folder, 'client')
    cpSync(packageFolder, output, { recursive: true })
    limitJobs(join(output, 'deps/librdkafka.gyp'))
    const problem = compile(nodeGyp, output, join(packageFolder, '../..'), join(folder, 'log'))
    if (problem === undefined) copyBuiltFiles(output, packageFolder)
    return problem
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function compile (nodeGyp, folder, nodeModules, logFile) {
  const log = openSync(logFile, 'w')
  const run = command => spawnSync(process.execPath, [nodeGyp, command, `--jobs=${jobs}`, ...headersOfNode()], {
    cwd: folder,
    stdio: ['ignore', log, log],
    // `dynamic`: with the libraries of this system, where the default downloads and builds its own.
    env: { ...process.env, CKJS_LINKING: 'dynamic', NODE_PATH: nodeModules },
  }).status === 0
  try {
    // The first pass may stop with `No rule to make target config.h`, having made just that file; the second goes on.
    if (run('rebuild') || run('build')) return undefined
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
    return [...lines.slice(-logLines), 'The Kafka client could not be built: the end of its log is above.'].join('\n')
  } finally {
    closeSync(log)
  }
}

/** The package lets make start a hundred compilers at once, which a small machine has not the memory for. */
function limitJobs (file) {
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('"make", "-j",', `"make", "-j${jobs}",`))
}

/** Those that came with this Node.js, where they did: else node-gyp downloads them. */
function headersOfNode () {
  const prefix = dirname(dirname(realpathSync(process.execPath)))
  return existsSync(join(prefix, 'include/node/node.h')) ? [`--nodedir=${prefix}`] : []
}

/** npm's own. */
function findNodeGyp () {
  const { path: npm } = findExecutable({ variable: 'NPM_PATH', names: ['npm'] })
  if (npm === undefined) return undefined
  try {
    return createRequire(realpathSync(npm)).resolve('node-gyp/bin/node-gyp.js')
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
