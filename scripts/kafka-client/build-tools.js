import { spawnSync } from 'node:child_process'
import { findExecutable } from '../find-executable.js'

const headers = ['openssl/ssl.h', 'zlib.h', 'zstd.h', 'curl/curl.h', 'sasl/sasl.h']

/**
 * The compiler, where everything is there that building the Kafka client takes.
 * @returns {{ path?: string, problem?: string }}
 */
export function findBuildTools () {
  const tools = [
    { variable: 'CXX', names: ['g++', 'clang++'] },
    { variable: 'MAKE', names: ['make'] },
    { variable: 'PYTHON', names: ['python3'] },
  ].map(tool => findExecutable(tool, { PATH: process.env.PATH }))
  if (tools.some(({ path }) => path === undefined)) return {}
  const [{ path }] = tools
  const program = headers.map(header => `#include <${header}>\n`).join('')
  const { status } = spawnSync(path, ['-E', '-x', 'c++', '-'], { input: program, stdio: ['pipe', 'ignore', 'ignore'] })
  return status === 0 ? { path } : {}
}
