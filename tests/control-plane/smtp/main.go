// A mail server for tests: what it takes is a file each in -to, as it was sent, after the envelope in a line of its own.
//
// With -cert and -key it speaks STARTTLS, and with -implicit TLS from the first byte; with -password it lets in only the
// user `netdr`.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var (
	listen   = flag.String("listen", "127.0.0.1:0", "address")
	to       = flag.String("to", ".", "folder of what is taken")
	cert     = flag.String("cert", "", "certificate in PEM")
	key      = flag.String("key", "", "its key in PEM")
	implicit = flag.Bool("implicit", false, "TLS from the first byte")
	password = flag.String("password", "", "of user netdr")
	taken    atomic.Int64
)

type session struct {
	from  string
	to    []string
	known bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, given string) error {
		if user != "netdr" || given != *password {
			return errors.New("no such user, or another password")
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if *password != "" && !s.known {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	mail, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s > %s\n%s", s.from, strings.Join(s.to, ","), mail)
	file := filepath.Join(*to, fmt.Sprintf("%03d.eml", taken.Add(1)))
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

func main() {
	flag.Parse()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{}, nil }))
	server.Addr = *listen
	server.Domain = "localhost"
	server.ReadTimeout = time.Minute
	server.WriteTimeout = time.Minute
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	if *implicit {
		log.Fatal(server.ListenAndServeTLS())
	}
	log.Fatal(server.ListenAndServe())
}
