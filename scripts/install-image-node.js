// Makes sure that the test of the image has the Node.js that the image has, which may be newer than the one that runs
// the tests. It comes from npm, and nothing else is run with it.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { completeFolder } from './complete-folder.js'
import { findImageNode, imageNodeFolder, imageNodePackage, imageNodeVersion } from './find-image-node.js'

const { path, problem } = findImageNode()
if (problem !== undefined) fail(problem)
if (path === undefined) fetchNode()

function fetchNode () {
  console.log(`Fetching Node.js ${imageNodeVersion}, which the image has, for its test (once).`)
  completeFolder(imageNodeFolder(), folder => {
    const { status } = spawnSync('npm', [
      'install', '--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund',
      `${imageNodePackage}@${imageNodeVersion}`,
    ], { stdio: 'inherit' })
    if (status !== 0) {
      fail(`npm could not fetch ${imageNodePackage} ${imageNodeVersion}; its own output above says why. ` +
        'Point IMAGE_NODE_PATH at the executable of a Node.js of that major version, and run this again.')
    }
  })
}

function fail (message) {
  console.error(message)
  process.exit(1)
}
