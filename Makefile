# ngx_wschat
#
#   make                    build/ngx_wschat_module.so for the installed nginx
#   make run                nginx with conf.example/chat.conf in the foreground:
#                           NAME=chat PORT=8080 WORKERS=N
#   make test               everything: T="files" WORKERS="1 4" JOBS=N
#   make fuzz               each fuzzer for SECONDS=600
#   make lint matrix install clean
#
# NGX_SRC=directory NGINX=binary is another nginx, CC=clang another compiler,
# SANITIZE=1 builds and tests with AddressSanitizer and UBSan, BUILD=directory
# keeps a variant apart.

SHELL = /bin/sh

NGX_SRC = /usr/share/nginx/src
NGINX := $(shell PATH="$$PATH:/usr/sbin" command -v nginx \
                 || echo /usr/sbin/nginx)

ifdef SANITIZE
BUILD = build/asan
else
BUILD = build
endif

NAME = chat
PORT = 8080
WORKERS =
JOBS = 2
SECONDS = 600

export BUILD NGX_SRC CC SANITIZE NAME PORT WORKERS JOBS SECONDS

# a variable NGINX in its environment means inherited sockets to nginx
unexport NGINX
export NGINX_BINARY = $(NGINX)

MODULE = $(BUILD)/ngx_wschat_module.so

UNITS = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/test_*.c))
FUZZERS = $(patsubst t/fuzz/%.c,build/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

SAN_FLAGS = -fsanitize=address,undefined
FUZZ_FLAGS = -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

# the programs are small and each is compiled in one go, so whatever they may
# include counts as their source

SOURCES = $(wildcard src/*.[ch] src/*/*.[ch] t/unit/*.[ch] t/fuzz/*.[ch]) \
          tools/build-unit


module:
	@tools/configure
	@$(MAKE) --no-print-directory -s -C $(BUILD)/nginx -f ../objs/Makefile \
		modules
	@tools/update $(BUILD)/objs/ngx_wschat_module.so $(MODULE)

run:
	@tools/install-deps run
	@$(MAKE) --no-print-directory module
	@exec tools/run

test:
	@tools/install-deps run test
	@$(MAKE) --no-print-directory module
	@$(MAKE) --no-print-directory -s units $(if $(SANITIZE),,fuzzers)
	@tools/run-tests $(T)

units: $(UNITS)
	@:

$(BUILD)/unit/%: t/unit/%.c $(SOURCES) $(BUILD)/configured
	@echo "building $@"
	@tools/build-unit $< $@ $(if $(SANITIZE),$(SAN_FLAGS))

fuzzers:
	@if tools/have-fuzzer; then \
		$(MAKE) --no-print-directory -s $(FUZZERS); \
	else \
		echo "no fuzzers: clang with its libFuzzer is not here"; \
	fi

build/fuzz/%: t/fuzz/%.c $(SOURCES) $(BUILD)/configured
	@echo "building $@"
	@CC=clang tools/build-unit $< $@ $(FUZZ_FLAGS)

$(BUILD)/configured:
	@tools/configure

fuzz:
	@tools/install-deps run test
	@$(MAKE) --no-print-directory module
	@$(MAKE) --no-print-directory -s fuzzers
	@WSCHAT_FUZZ_SECONDS=$(SECONDS) prove -v t/02-fuzz.t

lint:
	@tools/install-deps run lint
	@tools/configure
	@tools/lint

matrix:
	@tools/install-deps run test matrix
	@tools/matrix

install: module
	@tools/install $(MODULE)

clean:
	rm -rf build


.PHONY: module run test units fuzzers fuzz lint matrix install clean
