/*
 * The frames of the protocol, for tools that look at them. An app needs none of this.
 */
export * from './frames.js'
