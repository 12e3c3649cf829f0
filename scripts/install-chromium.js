// Makes sure that the browser test has a browser. `npm test` runs this first, so a fresh machine
// needs no step of its own; where a Chromium is present it looks once and says nothing.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { findChromium } from './find-chromium.js'

const howTo = [
  'The browser test (test/browser/) drives the demo page in Chromium, and none was found.',
  'Install one:',
  '  Debian, Ubuntu   sudo apt-get install --no-install-recommends chromium   (Ubuntu: chromium-browser)',
  '  Fedora           sudo dnf install chromium',
  '  macOS            brew install --cask chromium',
  'or point CHROMIUM_PATH at the executable of a Chromium or Chrome that you have, and run this again.',
].join('\n')

function run (command, args) {
  console.log(`> ${command} ${args.join(' ')}`)
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return error === undefined && status === 0
}

function fail (problem) {
  console.error(problem === '' ? howTo : `${problem}\n${howTo}`)
  process.exit(1)
}

const { path, problem } = findChromium()
if (problem !== undefined) fail(problem)
if (path === undefined) {
  const mayInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0
  if (!mayInstall) fail('')
  console.log('No Chromium found: installing Debian\'s package for the browser test (once, some minutes).')
  const installed = run('apt-get', ['update']) &&
    run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'])
  if (!installed) fail('apt-get could not install chromium; its own output above says why.')
  const found = findChromium()
  if (found.path === undefined) fail('apt-get installed chromium, yet no executable of that name is on PATH.')
  console.log(`Chromium: ${found.path}`)
}
