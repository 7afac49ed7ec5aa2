// Package packaging is what the packages for distributions are made of: units, the sample
// configuration, scripts of the package manager, and nfpm's description of all of it.
// scripts/packages builds them. There is no code here but tests.
package packaging
