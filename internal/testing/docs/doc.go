// Package docs holds the tests that compare the project's pages with the code: programs compile
// and run, links and names exist, and tables match the behaviour.
package docs
