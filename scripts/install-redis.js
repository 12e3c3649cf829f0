// Makes sure that the cluster's tests have a redis-server. They start their own, on free ports, and touch no other.
import { ensureInstalled } from './apt-install.js'
import { findRedis } from './find-redis.js'

ensureInstalled({
  name: 'redis-server',
  find: findRedis,
  debianPackages: ['redis-server'],
  howTo: [
    'The tests of a cluster run real Redis servers, and no redis-server was found. Version 7 or newer is needed.',
    'Install one:',
    '  Debian, Ubuntu   sudo apt-get install --no-install-recommends redis-server',
    '  Fedora           sudo dnf install redis   (or valkey, and REDIS_SERVER_PATH=/usr/bin/valkey-server)',
    '  macOS            brew install redis',
    'or point REDIS_SERVER_PATH at the executable of one that you have, and run this again.',
  ],
})
