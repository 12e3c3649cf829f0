import { arch, env as environment, platform } from 'node:process'
import { cacheFolder } from './cache-folder.js'
import { findExecutable } from './find-executable.js'

/** A release of the Node.js that the Dockerfile's images have. */
export const imageNodeVersion = '24.21.0'

/** The package of npm that holds its executable for this machine, below `bin`. */
export const imageNodePackage = `node-${platform === 'win32' ? 'win' : platform}-${arch}`

/**
 * The Node.js that IMAGE_NODE_PATH names, else the one that install-image-node.js has fetched.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function findImageNode (env = environment) {
  const path = `${imageNodeFolder(env)}/node_modules/${imageNodePackage}/bin`
  return findExecutable({ variable: 'IMAGE_NODE_PATH', names: ['node'] }, { IMAGE_NODE_PATH: env.IMAGE_NODE_PATH, PATH: path })
}

/** @param {NodeJS.ProcessEnv} [env] */
export function imageNodeFolder (env = environment) {
  return cacheFolder(`node-${imageNodeVersion}-${platform}-${arch}`, env)
}
