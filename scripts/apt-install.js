// Makes sure that what the tests need is there. `npm test` runs this first, so that a fresh machine needs no step of
// its own; where it is present this looks once and says nothing.
import { spawnSync } from 'node:child_process'
import process from 'node:process'

/**
 * Installs Debian's packages where something is missing and that may be done (root, apt). Else, or where it fails, ends
 * the process with what to do.
 * @param {object} thing
 * @param {string} thing.name as a person calls it
 * @param {() => { path?: string, problem?: string }} thing.find
 * @param {string[]} thing.debianPackages
 * @param {string[]} thing.howTo lines: who needs it, and how to get it
 */
export function ensureInstalled ({ name, find, debianPackages, howTo }) {
  const fail = problem => {
    console.error([...(problem === undefined ? [] : [problem]), ...howTo].join('\n'))
    process.exit(1)
  }
  const { path, problem } = find()
  if (problem !== undefined) fail(problem)
  if (path !== undefined) return
  if (!mayInstall()) fail()

  const packages = debianPackages.join(' ')
  console.log(`No ${name} found: installing Debian's ${packages} (once, some minutes).`)
  const installed = run('apt-get', ['update']) &&
    run('apt-get', ['install', '-y', '--no-install-recommends', ...debianPackages])
  if (!installed) fail(`apt-get could not install ${packages}; its own output above says why.`)
  const found = find()
  if (found.path === undefined) fail(`apt-get installed ${packages}, yet there is no ${name}.`)
  console.log(`${name}: ${found.path}`)
}

function mayInstall () {
  return process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0
}

function run (command, args) {
  console.log(`> ${command} ${args.join(' ')}`)
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    // RUNLEVEL=1 is single user mode: a package that brings a service does not start it.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  })
  return error === undefined && status === 0
}
