// Makes sure that the tests of events have a Kafka. They start their own, on free ports, and touch no other.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './apt-install.js'
import { completeFolder } from './complete-folder.js'
import { findExecutable } from './find-executable.js'
import { findJava, findKafka, installedKafka, kafkaVersion } from './find-kafka.js'
import { isArchiveGood, makeArchive } from './kafka/class-archive.js'

ensureInstalled({
  name: 'Java 17',
  find: findGoodJava,
  debianPackages: ['default-jre-headless'],
  howTo: [
    'The tests of events run a real Apache Kafka, and no Java was found for it. Version 17 or newer is needed.',
    'Install one:',
    '  Debian, Ubuntu   sudo apt-get install --no-install-recommends default-jre-headless',
    '  Fedora           sudo dnf install java-latest-openjdk-headless',
    '  macOS            brew install openjdk',
    'or point JAVA_PATH at the executable of one that you have, and run this again.',
  ],
})

const { path, problem } = findKafka()
if (problem !== undefined) fail(problem)
if (path === undefined) installJars()
const { path: java } = findJava()
const libs = installedKafka()
// A Kafka of one's own is left as it is.
if (findKafka().path === libs && !isArchiveGood(java, libs) && !await makeArchive(java, libs)) {
  console.error(`Kafka ${kafkaVersion}: no archive of its classes could be made; tests will start it more slowly.`)
}

function findGoodJava () {
  const found = findJava()
  if (found.path === undefined) return found
  const { stderr = '' } = spawnSync(found.path, ['-version'], { encoding: 'utf8' })
  if (Number(/version "(\d+)/.exec(stderr)?.[1]) >= 17) return found
  return process.env.JAVA_PATH ? { problem: `JAVA_PATH=${found.path} is no Java of version 17 or newer.` } : {}
}

function installJars () {
  ensureInstalled({
    name: 'Maven',
    find: findMaven,
    debianPackages: ['maven'],
    howTo: [
      `The tests of events run a real Apache Kafka ${kafkaVersion}, and Maven is needed to fetch it.`,
      'Install it:',
      '  Debian, Ubuntu   sudo apt-get install --no-install-recommends maven',
      '  Fedora           sudo dnf install maven',
      '  macOS            brew install maven',
      'or point KAFKA_LIBS_DIR at the folder `libs` of a Kafka that you have, and run this again.',
    ],
  })
  console.log(`Fetching Apache Kafka ${kafkaVersion} for the tests (once, 44 MB).`)
  completeFolder(installedKafka(), folder => {
    const { status } = spawnSync(findMaven().path, [
      '--quiet', '--batch-mode', '--file', fileURLToPath(new URL('kafka/pom.xml', import.meta.url)),
      'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`,
    ], { stdio: 'inherit' })
    if (status !== 0) fail(`Maven could not fetch Apache Kafka ${kafkaVersion}; its own output above says why.`)
  })
  console.log(`Kafka: ${installedKafka()}`)
}

function findMaven () {
  return findExecutable({ variable: 'MAVEN_PATH', names: ['mvn'] })
}

function fail (problem) {
  console.error(problem)
  process.exit(1)
}
