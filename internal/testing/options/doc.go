// Package options holds a test over every struct of options: 0 is the default, and a
// negative number is what its field says, or an error that names the field.
package options
