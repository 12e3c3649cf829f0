// Makes sure that the test of the image has the Node.js that the image has, which may be newer than the one that runs
// the tests. It comes from npm, and nothing else is run with it.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { findImageNode, imageNodeFolder, imageNodePackage, imageNodeVersion } from './find-image-node.js'

const { path, problem } = findImageNode()
if (problem !== undefined) fail(problem)
if (path === undefined) fetchNode()

function fetchNode () {
  console.log(`Fetching Node.js ${imageNodeVersion}, which the image has, for its test (once).`)
  const target = imageNodeFolder()
  mkdirSync(dirname(target), { recursive: true })
  // The folder gets its name when it is complete.
  const fresh = mkdtempSync(`${target}-`)
  process.once('exit', () => rmSync(fresh, { recursive: true, force: true }))
  const { status } = spawnSync('npm', [
    'install', '--prefix', fresh, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund',
    `${imageNodePackage}@${imageNodeVersion}`,
  ], { stdio: 'inherit' })
  if (status !== 0) {
    fail(`npm could not fetch ${imageNodePackage} ${imageNodeVersion}; its own output above says why. ` +
      'Point IMAGE_NODE_PATH at the executable of a Node.js of that major version, and run this again.')
  }
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
}

function fail (message) {
  console.error(message)
  process.exit(1)
}
