// Makes sure that the tests of metrics, dashboard and alerts have a Prometheus. They start their own, on free ports.
import { ensureInstalled } from './apt-install.js'
import { findPrometheus } from './find-prometheus.js'

ensureInstalled({
  name: 'prometheus and promtool',
  find: findPrometheus,
  debianPackages: ['prometheus'],
  howTo: [
    'The tests of alert rules and dashboard run a real Prometheus, and promtool, which comes with it.',
    'No prometheus, or no promtool, was found. Version 2.42 or newer is needed.',
    'Install them:',
    '  Debian, Ubuntu   sudo apt-get install --no-install-recommends prometheus',
    '  Fedora           sudo dnf install golang-github-prometheus',
    '  macOS            brew install prometheus',
    'or point PROMETHEUS_PATH and PROMTOOL_PATH at the executables that you have, and run this again.',
  ],
})
