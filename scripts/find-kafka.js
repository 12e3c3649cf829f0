import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { cacheFolder } from './cache-folder.js'
import { findExecutable } from './find-executable.js'

/** The version that the tests run, where none of one's own is given. */
export const kafkaVersion = /<kafka\.version>(.+)<\/kafka\.version>/
  .exec(readFileSync(new URL('kafka/pom.xml', import.meta.url), 'utf8'))[1]

/**
 * Where the jars of a Kafka are: in the folder that KAFKA_LIBS_DIR names, else where install-kafka.js puts them.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ path?: string, problem?: string }} `problem` only where KAFKA_LIBS_DIR holds no Kafka
 */
export function findKafka (env = process.env) {
  const wished = env.KAFKA_LIBS_DIR
  if (wished !== undefined && wished !== '') {
    return holdsKafka(wished)
      ? { path: wished }
      : { problem: `KAFKA_LIBS_DIR=${wished} is not a folder with the jars of Kafka, such as kafka_2.13-${kafkaVersion}.jar.` }
  }
  const installed = installedKafka(env)
  return holdsKafka(installed) ? { path: installed } : {}
}

/**
 * Where install-kafka.js puts the jars: the folder is there only when they are complete.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function installedKafka (env) {
  return join(cacheFolder(`kafka-${kafkaVersion}`, env), 'libs')
}

/**
 * Where the archive of their classes would be, see kafka/class-archive.js.
 * @param {string} libs
 */
export function classArchive (libs) {
  return join(dirname(libs), 'classes.jsa')
}

/** @param {NodeJS.ProcessEnv} [env] */
export function findJava (env) {
  return findExecutable({ variable: 'JAVA_PATH', names: ['java'] }, env)
}

function holdsKafka (folder) {
  try {
    return readdirSync(folder).some(name => /^kafka_2\.\d+-\d.*\.jar$/.test(name))
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false
    throw error
  }
}
