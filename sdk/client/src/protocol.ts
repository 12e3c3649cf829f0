/*
 * The frames of the protocol and its codes, for tools that look at them and for tests that play the gateway. An app
 * needs none of this.
 */
export * from './frames.js'
export * from './close-codes.js'
